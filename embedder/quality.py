"""How well a face can be recognised, by its chip, its landmarks and its pose."""

from typing import NamedTuple

import cv2
import numpy as np

from embedder.detector import Floats, Pixels
from embedder.pose import Pose

# Where each part begins and ends to count, on scales of powers. Measured with `open` on 152 faces that were
# blurred, shrunk, darkened, brightened and flattened step by step: at the lower end about half of them are no
# longer taken for themselves, at the upper end the cosine to what they were is 0.99 and more.
SHARP = (0.0005, 0.01)  # variance of the Laplacian after a little blur, in that of the pixels
LARGE = (6.0, 24.0)  # pixels of the image between the eyes
CONTRAST = (2.0, 20.0)  # standard deviation of the pixels
CLIPPED = (0.85, 0.1)  # the share of pixels that are black or white; on a plain scale

EYES = 0.37  # of a chip's width, between the eyes: for a face without landmarks, which fills its image


class Quality(NamedTuple):
    """Parts of a face's quality, in [0, 1] each, as mien.v1.Quality says."""

    sharpness: float
    size: float
    frontality: float
    exposure: float

    @property
    def value(self) -> float:
        """A face is as good as its worst part."""
        return min(self)


def to_quality(chip: Pixels, landmarks: Floats | None, pose: Pose | None, side: int) -> Quality:
    """Of a face with a chip, (size, size, 3) RGB, landmarks, (5, 2) in the image's pixels, and pose.

    Without landmarks the face fills an image whose shorter side is `side` pixels.
    """
    size = len(chip)
    # The middle of the face, without hair and what lies behind it.
    face = chip[size // 5 : size * 13 // 15, size // 6 : size * 5 // 6]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1), cv2.CV_32F)
    eyes = side * EYES if landmarks is None else float(np.hypot(*(landmarks[1] - landmarks[0])))
    contrast = _reached(float(grey.std()), CONTRAST)
    clipped = float(((grey < 8) | (grey > 247)).mean())
    none, all_ = CLIPPED
    return Quality(
        sharpness=_reached(float(edges.var()) / max(float(grey.var()), 1.0), SHARP),
        size=_reached(eyes, LARGE),
        frontality=_frontality(pose),
        exposure=min(contrast, float(np.clip((clipped - none) / (all_ - none), 0, 1))),
    )


def _frontality(pose: Pose | None) -> float:
    """The cosine of the angle between where the face looks and the camera."""
    if pose is None:
        return 1.0
    pitch, yaw = np.radians([pose.pitch, pose.yaw])
    return float(max(0.0, np.cos(pitch) * np.cos(yaw)))


def _reached(value: float, ends: tuple[float, float]) -> float:
    """How far a value is on its way from one end to the other, by the power."""
    low, high = ends
    return float(np.clip(np.log(max(value, 1e-9) / low) / np.log(high / low), 0, 1))
