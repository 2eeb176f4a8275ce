"""Faces of an image as an embedder has found them, and the model that embeds them."""

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifier.tails import Tail

Floats = NDArray[np.float32]


class Box(NamedTuple):
    """In pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float


class Age(NamedTuple):
    """In whole years, from the youngest to the oldest it may be."""

    low: int
    high: int
    probability: float  # in [0, 1]


class Gender(NamedTuple):
    male: bool  # else female
    probability: float  # in [0.5, 1]


class Wear(Enum):
    """How a mask is worn, in CompreFace's words."""

    WITHOUT = "without_mask"
    WITH = "with_mask"
    INCORRECT = "mask_weared_incorrect"


class Mask(NamedTuple):
    wear: Wear
    probability: float  # in [0, 1]


class Pose(NamedTuple):
    """In degrees, signed as the contract's Pose."""

    pitch: float
    yaw: float
    roll: float


class Quality(NamedTuple):
    """In [0, 1], as the contract's Quality says."""

    value: float
    sharpness: float
    size: float
    frontality: float
    exposure: float


class Found(NamedTuple):
    """A face of an image. What was not asked for is empty or None."""

    box: Box
    landmarks: Floats | None  # (5, 2): x, y in pixels, in the order of the contract's Landmarks
    score: float
    embedding: Floats  # (dimension,), norm 1; or (0,)
    chip: bytes = b""
    age: Age | None = None
    gender: Gender | None = None
    pose: Pose | None = None
    quality: Quality | None = None
    mask: Mask | None = None


class Step(NamedTuple):
    """Something that was done to an image, as the contract's Step says."""

    name: str
    version: str
    milliseconds: float


class Model(NamedTuple):
    name: str
    dimension: int
    chip_size: int
    threshold: float
    steepness: float
    strangers: Tail | None = None  # None: not measured

    def similarity(self, cosine: float) -> float:
        """In [0, 1], by the formula of the contract's Calibration."""
        return float((np.tanh((self.threshold - distance(cosine)) * self.steepness) + 1) / 2)


def distance(cosine: float) -> float:
    """Euclidean, of two vectors of norm 1."""
    return float(np.sqrt(max(0.0, 2 - 2 * cosine)))
