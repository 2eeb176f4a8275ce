"""Strangers and enrolled people at galleries made of photographs, level by level."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.faces import Face
from classifier.blocks import Floats
from classifier.fitting import fit
from classifier.tails import Tail, comparisons, of_one

RATES = (1e-2, 1e-3)
Numbers = NDArray[np.float64]


class People(NamedTuple):
    """Faces as rows, and whose they are."""

    rows: Floats  # (n, dimension)
    who: NDArray[np.intp]  # (n,)

    @classmethod
    def of(cls, faces: list[Face]) -> "People":
        rows = np.array([face.embedding for face in faces])
        return cls(rows, np.unique([face.person for face in faces], return_inverse=True)[1])

    def part(self, people: NDArray[np.intp]) -> "People":
        chosen = np.isin(self.who, people)
        return People(self.rows[chosen], self.who[chosen])

    @property
    def comparisons(self) -> float:
        return comparisons(len(np.unique(self.who)), len(self.who))


def tail_of(people: People) -> Tail:
    """As a gallery of them would have it, or a pack that was measured on them."""
    cosines = people.rows @ people.rows.T
    largest = np.where(people.who[:, None] == people.who, -1, cosines).max(1)
    return fit(largest.astype(np.float64), people.comparisons)


def split(strangers: People, lot: np.random.Generator) -> Numbers:
    """Of strangers the share that each rate lets in: half of the people calibrate, a quarter is enrolled."""
    people = lot.permutation(np.unique(strangers.who))
    half, rest = len(people) // 2, len(people) * 3 // 4
    tail = tail_of(strangers.part(people[:half]))
    gallery, probes = strangers.part(people[half:rest]), strangers.part(people[rest:])
    best = (probes.rows @ gallery.rows.T).max(1)
    limits = [tail.cosine(of_one(rate, gallery.comparisons)) for rate in RATES]
    return np.array([(best >= limit).mean() for limit in limits])


def splits(strangers: People, times: int, seed: int) -> Numbers:
    """(rates,): the mean of so many splits."""
    lot = np.random.default_rng(seed)
    mean: Numbers = np.mean([split(strangers, lot) for _ in range(times)], axis=0)
    return mean


def spread(faces: list[Face], times: int) -> Numbers:
    """(rates,): the deviation of `splits`, had there been other photographs, by leaving out each in turn."""
    photographs = sorted({face.owner for face in faces})
    means = [
        splits(People.of([face for face in faces if face.owner != photograph]), times, 0)
        for photograph in photographs
    ]
    deviation: Numbers = np.sqrt((len(means) - 1) * np.var(means, axis=0))
    return deviation
