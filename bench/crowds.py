"""Galleries of people who do not exist, asked for strangers and for their own, by the classifier's code."""

import asyncio
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.open_set import RATES
from bench.population import Population
from classifier.blocks import Floats
from classifier.decisions import Decision, Verdict, decide
from classifier.faces import Model
from classifier.levels import Basis, Level, Levels
from classifier.matrix import Hit, Matrix
from classifier.shelf import View
from store.loading import Faces

Numbers = NDArray[np.float64]

STRANGERS = 10_000
ENROLLED = 1_000  # of whom another photograph is looked for, at most
_PROBES = 256  # searched for at once


class Crowd(NamedTuple):
    """What a gallery answers, by rate and at last with CompreFace's fixed 0.5, as shares."""

    strangers: Numbers  # taken for somebody
    ambiguous: Numbers  # strangers, of them all, who are taken for one of two
    found: Numbers  # enrolled people who are matched with themselves
    misnamed: Numbers  # with another


def crowd(population: Population, model: Model, size: tuple[int, int], twice: float) -> Crowd:
    """A gallery of (people, faces of each), of which this share is enrolled under a second name too."""
    count, each = size
    people = population.people(count)
    names = np.arange(count)
    copies = population.some(round(twice * count), count)
    people, names = np.concatenate([people, people[copies]]), np.arange(count + len(copies))
    matrix = Matrix()
    for _ in range(each):
        matrix.add(_faces(population.photographs(people), names))
    view = View(matrix, len(matrix), model.name)
    known = [who for who in population.some(ENROLLED, count) if who not in set(copies)]
    strangers = _found(matrix, population.photographs(population.people(STRANGERS)))
    enrolled = _found(matrix, population.photographs(people[known]))
    fixed = Level(1 - model.threshold**2 / 2, Basis.OPERATING_POINT)
    levels = [asyncio.run(Levels().of(UUID(int=0), view, model, rate)) for rate in RATES]
    taken, ambiguous, found, misnamed = [], [], [], []
    for level in [*levels, fixed]:
        # The rate is of those who reach the threshold, whether or not two subjects are too close then.
        taken.append(np.mean([bool(hits) and hits[0].cosine >= level.threshold for hits in strangers]))
        ambiguous.append(_share(decide(strangers, level, model, unique=False), Verdict.AMBIGUOUS))
        decided = decide(enrolled, level, model, unique=False)
        matched = [each.hit.subject if each.verdict is Verdict.MATCH and each.hit else "" for each in decided]
        if level is fixed:  # which knows no second subject
            matched = [hits[0].subject if hits[0].cosine >= level.threshold else "" for hits in enrolled]
        right = np.array([name == str(who) for name, who in zip(matched, known, strict=True)])
        found.append(right.mean())
        misnamed.append(np.mean([bool(name) for name in matched]) - right.mean())
    return Crowd(*(np.array(each) for each in (taken, ambiguous, found, misnamed)))


def _share(decisions: list[Decision], verdict: Verdict) -> float:
    return float(np.mean([each.verdict is verdict for each in decisions]))


def _faces(rows: Floats, names: NDArray[np.intp]) -> Faces:
    subjects = {int(name): UUID(int=int(name) + 1) for name in names}
    packed = b"".join(
        np.random.bytes(16) + subjects[int(name)].bytes + row.tobytes()
        for name, row in zip(names, rows, strict=True)
    )
    return Faces(packed, rows.shape[1], {each: str(name) for name, each in subjects.items()})


def _found(matrix: Matrix, rows: Floats) -> list[list[Hit]]:
    return [
        hits
        for start in range(0, len(rows), _PROBES)
        for hits in matrix.search(rows[start : start + _PROBES], 2, distinct=True)
    ]
