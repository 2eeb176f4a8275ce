"""docs/strangers.md says what the code has; the arithmetic of `python -m bench.strangers`, on made people."""

import re
from pathlib import Path

import numpy as np
import pytest

from bench.faces import Face
from bench.open_set import People, splits, spread, tail_of
from bench.population import Population
from classifier.decisions import ODDS
from classifier.evidence import PLAYERS, SAMPLE
from classifier.fitting import SHAPE
from classifier.levels import LEAST
from classifier.tails import Tail, of_one
from embedder.messages import to_model
from embedder.pack import read_pack
from mien.v1 import recognition_pb2

DOCUMENT = (Path(__file__).parents[1] / "docs/strangers.md").read_text()


def test_the_documented_thresholds_are_those_of_the_pack() -> None:
    told = to_model(read_pack("open")).calibration.strangers
    tail = Tail(told.location, told.scale, told.shape, told.rate)
    for count in (1, 10, 100, 1000):
        hundredth, thousandth = (f"{tail.cosine(of_one(rate, count)):.3f}" for rate in (1e-2, 1e-3))
        assert f"\n| {count} | {hundredth} | {thousandth} |\n" in DOCUMENT


def test_models_that_were_not_measured_on_strangers_say_so() -> None:
    for pack in (read_pack("sface"), read_pack("open", flip=True)):
        assert not to_model(pack).calibration.HasField("strangers")


def test_the_documented_numbers_are_those_of_the_code() -> None:
    mean, deviation = SHAPE
    for words in (
        f"From {LEAST} people on",
        f"of {PLAYERS} at most",
        f"a sample of {SAMPLE:,} faces",
        f"less than {ODDS:g} times its odds",
        f"drawn towards {mean:g} with a deviation of {deviation:g}",
    ):
        assert words in DOCUMENT, words


@pytest.mark.parametrize("kind", [recognition_pb2.Verdict, recognition_pb2.Doubt])
def test_each_verdict_and_doubt_is_documented(kind: object) -> None:
    for name in kind.keys()[1:]:  # type: ignore[attr-defined]
        assert re.search(rf"`{name.partition('_')[2]}`", DOCUMENT)


def made(people: int, photographs: int, seed: int = 0) -> list[Face]:
    lot = np.random.default_rng(seed)
    centres = np.eye(16)[0] + lot.standard_normal((people, 16)) * 0.12
    faces = []
    for number in range(people):
        for turn in range(photographs):
            row = centres[number] + lot.standard_normal(16) * 0.04
            row = (row / np.linalg.norm(row)).astype(np.float32)
            chip = np.zeros((2, 2, 3), np.uint8)
            faces.append(Face(f"{number}", f"photograph {number // 8} {turn}", False, False, chip, row))
    return faces


def test_strangers_of_splits_are_taken_for_somebody_as_often_as_is_stated() -> None:
    measured = splits(People.of(made(400, 1)), 60, 0)
    assert 1e-2 / 3 < measured[0] < 3e-2
    assert measured[1] < 3e-3


def test_an_interval_covers_what_other_photographs_would_say() -> None:
    few, many = spread(made(60, 1), 20), spread(made(240, 1), 20)
    assert few[0] > many[0] > 0


def test_the_tail_of_more_people_is_that_of_one_comparison_all_the_same() -> None:
    few, many = tail_of(People.of(made(300, 1, 1))), tail_of(People.of(made(600, 1, 2)))
    assert few.cosine(1e-4) == pytest.approx(many.cosine(1e-4), abs=0.01)


def test_made_people_are_as_alike_as_those_they_are_made_after() -> None:
    faces = made(80, 4)
    population = Population(faces, 0)
    people = population.people(800)
    cosines = population.photographs(people) @ population.photographs(people).T
    real = People.of(faces)
    theirs, same = real.rows @ real.rows.T, real.who[:, None] == real.who
    apart = ~np.eye(len(people), dtype=bool)
    assert np.median(np.diag(cosines)) == pytest.approx(np.median(theirs[same & (theirs < 0.9999)]), abs=0.01)
    assert np.median(cosines[apart]) == pytest.approx(np.median(theirs[~same]), abs=0.02)
    assert np.quantile(cosines[apart], 0.99) == pytest.approx(np.quantile(theirs[~same], 0.99), abs=0.02)
