"""Pairs of faces, and how often a threshold errs on them."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.faces import Face

Numbers = NDArray[np.float64]

RESAMPLES = 500


class Kind(IntEnum):
    GENUINE = 0  # one person, two photographs
    APART = 1  # two strangers, two photographs: the easy impostors
    TOGETHER = (
        2  # two strangers, one photograph: the hard ones, with the same light, often a like age, or kin
    )
    KNOWN = 3  # two people, somebody known among them: too easy, for the network may have learnt that face


class Pairs(NamedTuple):
    """n pairs."""

    distances: Numbers  # Euclidean
    kinds: NDArray[np.intp]
    owners: NDArray[np.intp]  # (n, 2): numbers of both faces' owners
    weights: Numbers  # how often each pair counts

    def of(self, kind: Kind) -> "Pairs":
        return Pairs(*(column[self.kinds == kind] for column in self))

    def weighted(self, weights: Numbers) -> "Pairs":
        return self._replace(weights=weights)

    def errors(self, threshold: float) -> Numbers:
        """1 where the threshold is wrong: it refuses a genuine pair, or accepts another."""
        wrong: Numbers = ((self.distances > threshold) == (self.kinds == Kind.GENUINE)).astype(np.float64)
        return wrong


def compare(faces: list[Face], vectors: NDArray[np.float32]) -> Pairs:
    """Every two of the faces, by the distance of their vectors."""
    one, other = np.triu_indices(len(faces), 1)
    person, photograph, owner = (
        np.unique([getattr(face, name) for face in faces], return_inverse=True)[1]
        for name in ("person", "photograph", "owner")
    )
    known = np.array([face.known for face in faces])
    kinds = np.where(photograph[one] == photograph[other], Kind.TOGETHER, Kind.APART)
    kinds[known[one] | known[other]] = Kind.KNOWN
    kinds[person[one] == person[other]] = Kind.GENUINE
    distances = np.linalg.norm(vectors[one].astype(np.float64) - vectors[other], axis=1)
    return Pairs(distances, kinds, np.stack([owner[one], owner[other]], axis=1), np.ones(len(one)))


def rate(pairs: Pairs, threshold: float) -> float:
    """The share of the pairs on which the threshold errs."""
    total = pairs.weights.sum()
    return float(pairs.errors(threshold) @ pairs.weights / total) if total else np.nan


def resampled(pairs: Pairs) -> Iterator[Pairs]:
    """The pairs as they might have been, had chance chosen other people: a bootstrap over owners."""
    random = np.random.default_rng(0)
    count = pairs.owners.max() + 1
    one, other = pairs.owners.T
    for _ in range(RESAMPLES):
        times = random.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        yield pairs.weighted(np.where(one == other, times[one], times[one] * times[other]))


def spread(pairs: Pairs, statistic: Callable[[Pairs], float]) -> tuple[float, float]:
    """A 95 % interval of a statistic, were other people in the photographs."""
    low, high = np.nanquantile([statistic(each) for each in resampled(pairs)], [0.025, 0.975])
    return float(low), float(high)


def interval(pairs: Pairs, threshold: float) -> tuple[float, float]:
    """A 95 % interval of the rate: the wider of Wilson's, as if pairs were independent, and the spread."""
    low, high = wilson(pairs.errors(threshold).sum(), len(pairs.distances))
    least, most = spread(pairs, lambda each: rate(each, threshold))
    return min(low, least), max(high, most)


def wilson(errors: float, n: int) -> tuple[float, float]:
    z2 = 1.96**2
    centre, half = errors + z2 / 2, 1.96 * sqrt(errors * (n - errors) / n + z2 / 4)
    return max(0.0, (centre - half) / (n + z2)), (centre + half) / (n + z2)
