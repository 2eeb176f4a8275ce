"""Reads out of what a network answers whether a face wears a mask."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from embedder.detector import Floats


class Wear(Enum):
    """How a mask is worn, by the words of pack files."""

    WITHOUT = "without"
    WITH = "with"
    INCORRECT = "incorrect"  # mouth or nose are not covered


class Mask(NamedTuple):
    """The likeliest, and the belief in it, in [0, 1]."""

    wear: Wear
    probability: float


def reading(order: Sequence[str]) -> Callable[[Floats], Mask]:
    """What reads the answer of a network that tells these of Wear apart, in this order."""
    wears = [Wear(each) for each in order]

    def read(belief: Floats) -> Mask:
        return Mask(wears[int(belief.argmax())], float(belief.max() / belief.sum()))

    return read
