"""The arithmetic of `python -m bench.calibrate`, on pairs of which the answer is known."""

from statistics import NormalDist
from xml.etree import ElementTree

import numpy as np
import pytest

from bench.curve import asked_for, evidence, similarity, threshold
from bench.drawing import draw
from bench.faces import Face
from bench.pairs import Kind, Pairs, compare, interval, wilson
from embedder.pack import Calibration


def made_of(distances: dict[Kind, list[float]]) -> Pairs:
    count = sum(map(len, distances.values()))
    return Pairs(
        np.concatenate([np.array(each, np.float64) for each in distances.values()]),
        np.repeat([int(kind) for kind in distances], [len(each) for each in distances.values()]),
        np.arange(2 * count).reshape(count, 2),
        np.ones(count),
    )


def test_the_steepness_of_two_bells_is_found() -> None:
    # Of two normal distributions of one deviation s the log of the odds is a line of slope (m1 - m2) / s².
    shares = np.arange(0.5, 2000) / 2000
    near, far = ([NormalDist(mean, 0.08).inv_cdf(share) for share in shares] for mean in (0.3, 0.5))
    even, steepness = evidence(made_of({Kind.GENUINE: near, Kind.APART: far, Kind.TOGETHER: far}))
    assert even == pytest.approx(0.4, abs=0.002)
    assert steepness == pytest.approx(0.2 / 0.08**2 / 2, rel=0.02)


def test_the_threshold_keeps_to_both_limits_and_not_to_less() -> None:
    many, few = list(np.linspace(0.4001, 0.8, 999)), list(np.linspace(0.5, 0.8, 19))
    assert threshold(made_of({Kind.APART: [0.2, *many], Kind.TOGETHER: [0.3, *few]})) == 0.4
    assert threshold(made_of({Kind.APART: [0.2, 0.3101, *many], Kind.TOGETHER: few})) == 0.31
    assert threshold(made_of({Kind.APART: many, Kind.TOGETHER: [0.3, 0.3502, *few]})) == 0.35


def test_copies_of_a_pair_are_no_evidence() -> None:
    pairs = made_of({Kind.TOGETHER: [0.3] * 5 + [0.5] * 95})
    same = pairs._replace(owners=np.repeat(np.arange(20), 5)[:, None].repeat(2, axis=1))
    assert wilson(5, 100) == pytest.approx((0.0215, 0.1118), abs=1e-4)  # by hand
    assert interval(same, 0.4)[1] > 0.14  # five pairs of one person may as well have been ten


def test_pairs_are_sorted_by_who_and_where() -> None:
    chip, vector = np.zeros((2, 2, 3), np.uint8), np.zeros(2, np.float32)
    faces = [
        Face(person, photograph, True, known, chip, vector)
        for person, photograph, known in [
            ("ada", "party", True),
            ("ada", "portrait", True),
            ("party 1", "party", False),
            ("party 2", "party", False),
            ("crowd 1", "crowd", False),
        ]
    ]
    counts = [len(compare(faces, np.eye(5, dtype=np.float32)).of(kind).kinds) for kind in Kind]
    assert dict(zip(Kind, counts, strict=True)) == {
        Kind.GENUINE: 1,
        Kind.APART: 2,
        Kind.TOGETHER: 1,
        Kind.KNOWN: 6,
    }


def test_the_picture_is_well_formed_and_marks_the_point() -> None:
    pairs = made_of({Kind.GENUINE: [0.2, 0.3], Kind.APART: [0.5, 0.6], Kind.TOGETHER: [0.4, 0.5]})
    picture = ElementTree.fromstring(draw(pairs, Calibration(0.35, 20.0), "tiny"))
    assert "similarity 0.5 at 0.35" in "".join(picture.itertext())
    assert similarity(Calibration(0.35, 20.0), np.array([0.35])) == pytest.approx(0.5)
    assert asked_for(pairs).threshold == 0.395
