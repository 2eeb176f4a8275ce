"""Ranges of years, against trying every range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.age import to_age

YEARS = 81


def tried(weights: list[int]) -> tuple[int, int]:
    """The narrowest width that holds four fifths, and the largest weight so many years hold."""
    for width in range(1, len(weights) + 1):
        most = max(sum(weights[low : low + width]) for low in range(len(weights) - width + 1))
        if 5 * most >= 4 * sum(weights):
            return width, most
    raise AssertionError("all years together hold everything")


@given(st.lists(st.integers(0, 100), min_size=YEARS, max_size=YEARS).filter(any))
def test_no_narrower_range_holds_four_fifths(weights: list[int]) -> None:
    belief = (np.array(weights) / sum(weights)).astype(np.float32)
    age = to_age(belief)
    width, most = tried(weights)
    assert age.high - age.low + 1 == width
    assert age.probability == pytest.approx(most / sum(weights), abs=1e-5)
    assert sum(weights[age.low : age.high + 1]) == most
    assert age.probability <= 1


def test_four_fifths_are_enough_and_less_are_not() -> None:
    belief = np.zeros(YEARS, np.float32)
    belief[30:35] = 0.2
    assert to_age(belief)[:2] == (30, 33)
    belief[33], belief[34] = 0.199, 0.201  # 30 to 33 hold less now, 31 to 34 just enough
    assert to_age(belief)[:2] == (31, 34)


@pytest.mark.parametrize("years", range(5, 80, 5))
def test_exactly_four_fifths_are_enough_however_they_are_rounded(years: int) -> None:
    belief = np.zeros(YEARS, np.float32)
    belief[-years:] = 1 / years
    low, high, _ = to_age(belief)
    assert high - low + 1 == years * 4 // 5


@pytest.mark.parametrize("year", [0, 1, 80])
def test_certainty_is_one_year_from_the_first_to_the_last(year: int) -> None:
    belief = np.zeros(YEARS, np.float32)
    belief[year] = 1
    assert to_age(belief) == (year, year, 1.0)


def test_who_knows_nothing_names_most_years() -> None:
    low, high, probability = to_age(np.full(YEARS, 1 / YEARS, np.float32))
    assert (low, high) == (0, 64)
    assert probability == pytest.approx(65 / 81)
