"""Reads an age out of what a network answers."""

from typing import NamedTuple

import numpy as np

from embedder.detector import Floats

ENOUGH = 0.8  # of the belief, for a range
ROUNDING = 1e-6  # of single precision: a range may hold so much less


class Age(NamedTuple):
    """Years from `low` to `high`, both included, and the belief in them, in [0, 1]."""

    low: int
    high: int
    probability: float


def to_age(belief: Floats) -> Age:
    """The narrowest range that holds ENOUGH; of equally narrow ones the likeliest, then the youngest.

    `belief` is (years,): that in 0, 1, 2, ...; its sum is 1, but for rounding.
    """
    below = np.concatenate([[0.0], np.cumsum(belief, dtype=np.float64)])  # [n]: the belief in less than n
    below /= below[-1]
    for width in range(1, len(below)):
        inside = below[width:] - below[:-width]
        low = int(inside.argmax())
        if inside[low] >= ENOUGH - ROUNDING:
            break
    return Age(low, low + width - 1, float(inside[low]))


def to_one_age(answer: Floats) -> Age:
    """`answer` is (3,), of InsightFace's genderage: the last is a hundredth of the age.

    It says nothing of how sure it is, so its one year has all the belief, as with CompreFace.
    """
    years = max(0, round(float(answer[2]) * 100))
    return Age(years, years, 1.0)
