"""Fits a tail to how similar each of many faces is to the most similar other person of a gallery.

The largest of n similarities exceeds c with the chance 1 - (1 - F(c))^n, about 1 - exp(-n F(c)). With the
generalised Pareto tail for F that is the generalised extreme value distribution, the only one that
largest values tend to (Fisher, Tippett and Gnedenko; Pickands for the tail; see Coles, An Introduction to
Statistical Modeling of Extreme Values, 2001, theorems 3.1 and 4.1). So its parameters, found by maximum
likelihood, are those of the tail.

Three things are not as in the book:
* The lower half counts only as a number. It need not be of that shape.
* Some may be the same person under another name. The upper half is a mixture: a share of it, which is fitted
  too, lies between the median and 1, the likelier the nearer to 1, and is trimmed from the tail in this way.
* The shape is drawn towards that of faces, as few values tell it badly.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from classifier.tails import Tail

Numbers = NDArray[np.float64]

SHAPE = (-0.05, 0.1)  # mean and deviation of the shapes that are expected
_SHAPES = (-0.5, 0.3)
_MOST_NAMED_TWICE = 0.4  # of the upper half
_MOVES = np.array(list(product((-1.0, 0.0, 1.0), repeat=4)))
_HALVINGS = 9  # until steps are a 500th of the first ones
_TINY = 1e-300


def fit(largest: Sequence[float] | Numbers, comparisons: float) -> Tail:
    """The tail of one comparison, by the largest of so many for each of at least ten faces."""
    values = np.sort(np.asarray(largest, np.float64))
    half = len(values) // 2
    median, upper = float(values[half]), values[half:]
    spread = max(float(values.std()), 1e-6)
    # Location, log of the scale, shape, share of those named twice: a search along all of them, step by step.
    best = np.array([median, np.log(spread * 0.8), SHAPE[0], 0.02])
    steps = np.array([spread, 1.0, 0.1, 0.05])
    for _ in range(_HALVINGS):
        moved = True
        while moved:
            tried = best + _MOVES * steps
            tried[:, 2] = tried[:, 2].clip(*_SHAPES)
            tried[:, 3] = tried[:, 3].clip(0, _MOST_NAMED_TWICE)
            likelihoods = _likelihoods(tried, median, half, upper)
            moved = likelihoods.max() > likelihoods[len(_MOVES) // 2] + 1e-9  # the middle one is no move
            if moved:
                best = tried[likelihoods.argmax()]
            steps /= 2
    location, scale, shape, _ = best.tolist()
    return Tail(location, float(np.exp(scale)), shape, 1 / comparisons)


def _likelihoods(tried: Numbers, median: float, below: int, upper: Numbers) -> Numbers:
    """The logarithm, for each row of parameters: of `below` values below the median, and of those above."""
    location, scale, shape, twice = (column[:, None] for column in tried.T)
    scale = np.exp(scale)
    shape = np.where(np.abs(shape) < 1e-6, 1e-6, shape)

    def expected(cosines: Numbers) -> Numbers:
        """Logarithm of how many others are at least as similar."""
        base = 1 + shape * (cosines - location) / scale
        ends = np.where(shape < 0, -np.inf, np.inf)
        return np.where(base > 0, -np.log(np.maximum(base, _TINY)) / shape, ends)

    logs = np.minimum(expected(upper), 50)
    density = np.exp((1 + shape) * logs - np.exp(logs)) / scale
    width = max(1 - median, 1e-3)
    mixed = (1 - twice) * density + twice * 2 * (upper - median) / width**2
    least = np.exp(-np.exp(np.minimum(expected(np.array([median])), 50)))
    total: Numbers = np.log(mixed + _TINY).sum(1) + below * np.log((1 - twice) * least + _TINY)[:, 0]
    mean, deviation = SHAPE
    return total - ((tried[:, 2] - mean) / deviation) ** 2 / 2
