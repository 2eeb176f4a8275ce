"""Finds the points that dlib's networks were taught to be aligned by, from the landmarks of a detector."""

from pathlib import Path

import numpy as np

from embedder.alignment import similarity
from embedder.chips import Points
from embedder.detector import Floats, Pixels
from embedder.pack import Aligning
from embedder.predictor import Predictor


class Aligner:
    """May be used from several threads at once."""

    def __init__(self, path: Path, how: Aligning) -> None:
        self._predictor = Predictor(path)
        self._template = how.template
        left, top, width = how.box
        self._box = np.array([[width, 0.0, left], [0.0, width, top], [0.0, 0.0, 1.0]])

    def points(self, pixels: Pixels, landmarks: Floats) -> Floats:
        """(n, 5, 2): the points of n faces with these landmarks, (n, 5, 2), all in the image's pixels."""
        return self._predictor.place(pixels, self._frames(landmarks))

    def _frames(self, landmarks: Floats) -> Points:
        """(n, 2, 3): from the unit square to each face's box, which is turned as the face is."""
        chips = np.zeros((len(landmarks), 3, 3))
        chips[:, :2] = similarity(landmarks.astype(np.float64), self._template)
        chips[:, 2, 2] = 1
        frames: Points = (np.linalg.inv(chips) @ self._box)[:, :2]
        return frames
