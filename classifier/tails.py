"""How often two different people are how similar, where that is seldom: the tail of a distribution."""

from typing import NamedTuple

import numpy as np

_FLAT = 1e-9  # a shape so near to 0 counts as 0, where the formula has a limit


class Tail(NamedTuple):
    """A generalised Pareto tail of cosines, as the contract's Tail says."""

    location: float  # the cosine that a share of `rate` reaches
    scale: float  # positive
    shape: float
    rate: float

    def share(self, cosine: float) -> float:
        """Of comparisons with somebody else, those that are at least as similar. In [0, 1]."""
        steps = (cosine - self.location) / self.scale
        if abs(self.shape) < _FLAT:
            return float(min(1.0, self.rate * np.exp(min(-steps, 700.0))))
        base = 1 + self.shape * steps
        if base <= 0:  # beyond its end: the upper one of a negative shape, else the lower
            return 0.0 if self.shape < 0 else 1.0
        return float(min(1.0, self.rate * np.exp(min(-np.log(base) / self.shape, 700.0))))

    def cosine(self, share: float) -> float:
        """What this share of comparisons, positive, reaches. May be above 1, which none does."""
        depth = float(np.log(self.rate / share))
        if abs(self.shape) < _FLAT:
            return self.location + self.scale * depth
        return self.location + self.scale * float(np.expm1(self.shape * depth)) / self.shape


def comparisons(subjects: int, faces: int) -> float:
    """As how many comparisons of two faces a search of so many subjects with so many faces counts.

    k faces of one person are not k people: a stranger comes as near to the nearest of them as to the nearest
    of sqrt(k) people, on photographs (1.4, 1.9 and 2.4 for 2, 4 and 8) and on made faces alike.
    """
    return float(np.sqrt(subjects * faces))


def in_search(share: float, comparisons: float) -> float:
    """The chance that a stranger passes for somebody, if each comparison errs with this chance.

    1 - (1 - share)^n: that of the largest of n, and what a search answers is the largest.
    """
    return float(-np.expm1(comparisons * np.log1p(-share))) if share < 1 else 1.0


def of_one(rate: float, comparisons: float) -> float:
    """The chance that each comparison may err with, so that a search errs with the chance `rate`."""
    return float(-np.expm1(np.log1p(-rate) / comparisons))
