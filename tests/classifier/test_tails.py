"""A tail says a share for a cosine, and the cosine for a share; searches err more often than comparisons."""

import numpy as np
import pytest

from classifier.tails import Tail, comparisons, in_search, of_one

TAILS = [Tail(0.9, 0.01, shape, 0.02) for shape in (-0.3, -0.1, 0.0, 0.2)]


@pytest.mark.parametrize("tail", TAILS, ids=lambda tail: f"shape {tail.shape}")
@pytest.mark.parametrize("share", [0.1, 0.02, 1e-3, 1e-6, 1e-12])
def test_a_cosine_and_its_share_belong_together(tail: Tail, share: float) -> None:
    assert tail.share(tail.cosine(share)) == pytest.approx(share, rel=1e-6)


def test_the_formula_is_the_contracts() -> None:
    tail = Tail(0.9, 0.01, -0.2, 0.02)
    assert tail.share(0.92) == pytest.approx(0.02 * (1 - 0.2 * 2) ** 5)
    assert Tail(0.9, 0.01, 0.0, 0.02).share(0.92) == pytest.approx(0.02 * np.exp(-2))


def test_a_negative_shape_ends_and_no_share_is_more_than_all() -> None:
    assert Tail(0.9, 0.01, -0.2, 0.02).share(0.9501) == 0
    assert [tail.share(-1.0) for tail in TAILS] == [1, 1, 1, 1]


def test_a_search_errs_as_often_as_the_largest_of_many_comparisons() -> None:
    assert in_search(0.001, 1) == pytest.approx(0.001)
    assert in_search(0.001, 1000) == pytest.approx(1 - 0.999**1000)
    assert in_search(1.0, 10) == 1
    for rate in (0.1, 1e-3, 1e-5):
        assert in_search(of_one(rate, 1_000_000), 1_000_000) == pytest.approx(rate)


def test_more_photographs_of_the_same_people_count_for_less_than_more_people() -> None:
    assert comparisons(100, 100) == 100
    assert 100 < comparisons(100, 400) < comparisons(400, 400)
