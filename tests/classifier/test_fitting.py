"""Fits to values of which the distribution is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from classifier import fitting
from classifier.fitting import fit
from classifier.tails import of_one

RATES = (1e-2, 1e-3)
COMPARISONS = 500.0


def largest(count: int, shape: float, seed: int) -> NDArray[np.float64]:
    """Of the generalised extreme value distribution at 0.9, with a scale of 0.01."""
    depth = -np.log(np.random.default_rng(seed).random(count))
    values: NDArray[np.float64] = 0.9 - 0.01 * (np.log(depth) if shape == 0 else -(depth**-shape - 1) / shape)
    return values


def true_rate(cosine: float, shape: float) -> float:
    steps = (cosine - 0.9) / 0.01
    expected = np.exp(-steps) if shape == 0 else max(1 + shape * steps, 0.0) ** (-1 / shape)
    return float(-np.expm1(-expected))


def ratios(count: int, shape: float, seeds: int, wrong: float = 0.0) -> NDArray[np.float64]:
    """(seeds, rates): how often strangers would match, beside what is stated."""
    found = []
    for seed in range(seeds):
        values = largest(count, shape, seed)
        twice = int(wrong * count)
        values[:twice] = np.random.default_rng(seed).uniform(0.96, 0.995, twice)
        tail = fit(values, COMPARISONS)
        found.append([true_rate(tail.cosine(of_one(rate, COMPARISONS)), shape) / rate for rate in RATES])
    return np.array(found)


@pytest.mark.parametrize("shape", [-0.1, 0.0])
def test_stated_rates_are_true_rates(shape: float) -> None:
    found = ratios(2000, shape, 4)
    assert (found[:, 0] < 1.7).all()
    assert (found[:, 0] > 1 / 1.7).all()
    assert (found[:, 1] < 3).all()
    assert (found[:, 1] > 1 / 3).all()


def test_two_hundred_faces_are_enough_for_the_right_order_of_magnitude() -> None:
    found = ratios(200, -0.05, 12)
    assert 0.5 < found[:, 0].mean() < 2
    assert 1 / 3 < found[:, 1].mean() < 3


def test_people_with_two_names_are_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = ratios(2000, -0.05, 3, wrong=0.01)
    assert (trimmed > 1 / 3).all()
    assert (trimmed < 3).all()
    monkeypatch.setattr(fitting, "_MOST_NAMED_TWICE", 0.0)
    assert (ratios(2000, -0.05, 3, wrong=0.01)[:, 1] < 1 / 10).all(), "the test would miss it"


def test_a_fit_of_the_same_faces_is_the_same() -> None:
    values = largest(300, -0.1, 0)
    assert fit(values, 100) == fit(values[::-1], 100)


def test_faces_that_are_all_alike_make_a_tail_all_the_same() -> None:
    tail = fit(np.full(50, 0.9), 50)
    assert np.isfinite(tail).all()
    assert tail.cosine(1e-6) == pytest.approx(0.9, abs=0.01)
