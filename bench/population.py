"""People who do not exist, spread as those of the photographs are: for galleries larger than any folder.

What `bench/synthetic.py` makes is for speed; here it matters how alike people are. The embedding of a face
is a mean, a person's own difference from it, and what a photograph adds. The covariances of both are those
of the photographs, shrunk towards a ball until they have as many dimensions as so few faces let one believe.
Part of what a person is they share with others of their group, as looks go with descent, sex and age. Some
photographs are worse than others. `python -m bench.strangers` prints how close the outcome is.
"""

import numpy as np
from numpy.typing import NDArray

from bench.faces import Face
from classifier.blocks import Floats

Numbers = NDArray[np.float64]

GROUPS = 30
SHARED = 0.3  # of the variance between people, what their group has in common
UNEVEN = 0.3  # deviation of the logarithm of how much a photograph adds


class Population:
    def __init__(self, faces: list[Face], seed: int) -> None:
        self._lot = np.random.default_rng(seed)
        rows = np.array([face.embedding for face in faces], np.float64)
        _, owners, counts = np.unique(
            [face.person for face in faces], return_inverse=True, return_counts=True
        )
        means = np.array([rows[owners == each].mean(0) for each in range(len(counts))])
        more = counts[owners] > 1
        rest, degrees = (rows - means[owners])[more], int((counts[counts > 1] - 1).sum())
        within = rest.T @ rest / degrees
        # The mean of k photographs still has a k-th of what photographs add.
        between = np.cov(means.T) - within * float(np.mean(1 / counts))
        self._mean = means.mean(0)
        self._within, self._between = _root(within, degrees), _root(between, len(counts) - 1)
        self._groups = self._normal(GROUPS) @ self._between * SHARED**0.5

    def people(self, count: int) -> Numbers:
        """(count, dimension): what each of so many new people is."""
        own = self._normal(count) @ self._between * (1 - SHARED) ** 0.5
        return self._mean + own + self._groups[self._lot.integers(GROUPS, size=count)]

    def photographs(self, people: Numbers) -> Floats:
        """(count, dimension), norm 1: one of each."""
        worse = np.exp(self._lot.standard_normal(len(people)) * UNEVEN - UNEVEN**2)
        rows = people + self._normal(len(people)) @ self._within * worse[:, None]
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def some(self, count: int, of: int) -> NDArray[np.intp]:
        """`count` of so many, by chance."""
        return self._lot.permutation(of)[:count]

    def _normal(self, count: int) -> Numbers:
        return self._lot.standard_normal((count, len(self._mean)))


def _root(covariance: Numbers, degrees: int) -> Numbers:
    """A matrix that spreads a ball so, with the many dimensions that so few degrees of freedom hide."""
    size, total, squared = len(covariance), np.trace(covariance), float((covariance**2).sum())
    ball = total**2 / size
    true = max(squared - total**2 / degrees, ball)  # a sample spreads the eigenvalues
    kept = np.sqrt((true - ball) / (squared - ball))
    values, vectors = np.linalg.eigh(kept * covariance + (1 - kept) * total / size * np.eye(size))
    root: Numbers = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root
