"""Where the landmarks should be: what CenterFace sees at several scales and in the mirror, in the middle."""

from pathlib import Path

import numpy as np

from bench.scenes import resized
from embedder.centerface import CenterFace
from embedder.detector import Faces, Floats, Pixels

HEIGHTS = (80, 110, 150)  # pixels: to which the median face is brought
LARGEST = 2200  # pixels along the longer side of an enlarged photograph
SWAPPED = [1, 0, 2, 4, 3]  # in the mirror left is right


class Reference:
    def __init__(self, centerface: Path) -> None:
        self._detector = CenterFace(centerface, LARGEST)

    def landmarks(self, pixels: Pixels, faces: Faces) -> Floats:
        """(n, 5, 2): the medians of up to six looks at each of n faces."""
        looks: list[list[Floats]] = [[each] for each in faces.landmarks]
        median = float(np.median(faces.boxes[:, 3]))
        for height in HEIGHTS:
            image = resized(pixels, min(height / median, LARGEST / max(pixels.shape[:2])))
            grown = np.array(pixels.shape[1::-1], np.float32) / image.shape[1::-1]
            seen = self._detector.find(image, 0.3).landmarks * grown
            mirrored = self._detector.find(np.ascontiguousarray(image[:, ::-1]), 0.3).landmarks[:, SWAPPED]
            mirrored[:, :, 0] = image.shape[1] - 1 - mirrored[:, :, 0]
            for each in [*seen, *(mirrored * grown)]:
                if (place := nearest(faces.landmarks, each)) is not None:
                    looks[place].append(each)
        # The first look chose the face, and is no part of the reference if there are others.
        return np.array([np.median(each[1:] or each, axis=0) for each in looks], np.float32)


def nearest(landmarks: Floats, wanted: Floats) -> int | None:
    """Which of (n, 5, 2) are those of the face that has `wanted`, if one has."""
    if not len(landmarks):
        return None
    away = np.hypot(*(landmarks.mean(1) - wanted.mean(0)).T)
    best = int(away.argmin())
    return best if away[best] < eye_distance(wanted) / 2 else None


def eye_distance(landmarks: Floats) -> float:
    return float(np.hypot(*(landmarks[0] - landmarks[1])))
