"""Reads a gender out of what a network answers."""

from enum import Enum, auto
from typing import NamedTuple

import numpy as np

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


def to_likelier(answer: Floats) -> Gender:
    """`answer` is (3,), of InsightFace's genderage: the first two are scores of each Sex, of any size."""
    scores = np.exp(answer[:2] - answer[:2].max(), dtype=np.float64)
    return to_gender(scores)
