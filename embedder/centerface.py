"""CenterFace: a heat map of face centres, and at each of them the face's size and landmarks.

https://arxiv.org/abs/1911.03599
"""

from pathlib import Path

import cv2
import numpy as np

from embedder.detector import Faces, Pixels, to_canvas, to_faces
from embedder.session import Session

CELL = 4  # pixels of the image to one of the heat map


class CenterFace:
    """A Detector. Its landmarks are the closer ones, and hold to 60 degrees of rotation."""

    def __init__(self, path: Path) -> None:
        self._session = Session(path, ["537", "538", "539", "540"])

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        canvas = to_canvas(pixels)
        heat, size, offset, marks = (
            each[0] for each in self._session.run(cv2.dnn.blobFromImage(canvas.pixels))
        )
        at = np.nonzero(heat[0] >= min_score)
        spots = np.stack(at, 1).astype(np.float32)  # (n, 2): row and column, as all that comes in pairs here
        sizes = np.exp(size[:, *at].T) * CELL
        corners = (spots + offset[:, *at].T + 0.5) * CELL - sizes / 2
        landmarks = marks[:, *at].T.reshape(-1, 5, 2) * sizes[:, None] + corners[:, None]
        boxes = np.concatenate([corners[:, ::-1], sizes[:, ::-1]], 1)
        return to_faces(Faces(boxes, landmarks[:, :, ::-1], heat[0][at]), canvas)
