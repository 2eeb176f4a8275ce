"""Who is who: the sum is the largest that there is."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from classifier.assignment import Gains, assign

SHAPES = st.tuples(st.integers(1, 4), st.integers(0, 5))
# Few different values, so that many sums are equal.
GAINS = SHAPES.flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-2, 4).map(lambda n: n / 4))
)


def best(gains: Gains) -> float:
    rows, columns = gains.shape
    places = [*range(columns), *[None] * rows]
    return max(
        sum(max(gains[row, place], 0.0) for row, place in enumerate(each) if place is not None)
        for each in itertools.permutations(places, rows)
    )


@settings(deadline=None, max_examples=60)
@given(GAINS)
def test_no_column_is_given_twice_and_no_other_way_is_worth_more(gains: Gains) -> None:
    given_ = assign(gains)
    taken = [each for each in given_ if each is not None]
    assert len(taken) == len(set(taken))
    worth = [gains[row, each] for row, each in enumerate(given_) if each is not None]
    assert all(each > 0 for each in worth)
    assert abs(sum(worth) - best(gains)) < 1e-9
