"""SCRFD: at three scales, two guesses a cell of how far a face's edges and landmarks are from it.

https://arxiv.org/abs/2105.04714
"""

from pathlib import Path

import cv2
import numpy as np

from embedder.detector import Faces, Floats, OneLook, Pixels, to_canvas, to_faces
from embedder.device import CPU, Device
from embedder.session import Session

CELLS = (8, 16, 32)  # pixels of the image to a cell of each scale
GUESSES = 2  # of each cell
MEAN, DEVIATION = 127.5, 128.0  # of each colour


class SCRFD(OneLook):
    """A Detector. Its landmarks lie as ArcFace's networks learnt to expect them."""

    def __init__(self, path: Path, *, device: Device = CPU) -> None:
        self._session = Session(path, device=device)

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        canvas = to_canvas(pixels)
        image = cv2.dnn.blobFromImage(canvas.pixels, 1 / DEVIATION, mean=(MEAN, MEAN, MEAN))
        # The scores of each scale, then the boxes of each, then the landmarks.
        answers = self._session.run(image)
        scales = [
            _read(cell, canvas.pixels.shape[1], answers[i :: len(CELLS)], min_score)
            for i, cell in enumerate(CELLS)
        ]
        return to_faces(Faces(*(np.concatenate(each) for each in zip(*scales, strict=True))), canvas)


def _read(cell: int, columns: int, answers: list[Floats], min_score: float) -> Faces:
    # (guesses, 1), (guesses, 4) and (guesses, 10), cell by cell in rows; some exports put a 1 before.
    scores, edges, marks = (each.reshape(-1, each.shape[-1]) for each in answers)
    (at,) = np.nonzero(scores[:, 0] >= min_score)
    row, column = np.divmod(at // GUESSES, columns // cell)
    spots = np.stack([column, row], 1).astype(np.float32) * cell
    corners = spots - edges[at, :2] * cell  # the edges are left, top, right, bottom of the spot
    sizes = spots + edges[at, 2:] * cell - corners
    landmarks = spots[:, None] + marks[at].reshape(-1, 5, 2) * cell
    whole = (sizes > 0).all(1)  # where there is nothing, edges may pass each other
    return Faces(np.concatenate([corners, sizes], 1)[whole], landmarks[whole], scores[at, 0][whole])
