"""Reads a gender out of what a network believes."""

from enum import Enum, auto
from typing import NamedTuple

from embedder.detector import Floats


class Sex(Enum):
    """What networks of this kind tell apart, in the order of their answers."""

    FEMALE = auto()
    MALE = auto()


class Gender(NamedTuple):
    """The likelier sex, and the belief in it, in [0.5, 1]."""

    sex: Sex
    probability: float


def to_gender(belief: Floats) -> Gender:
    """`belief` is (2,): that in each Sex; its sum is 1, but for rounding."""
    sex = list(Sex)[int(belief.argmax())]
    return Gender(sex, float(belief.max() / belief.sum()))
