"""CenterFace: a heat map of face centres, and at each of them the face's size and landmarks.

https://arxiv.org/abs/1911.03599
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedder.detector import SIDE, Faces, Floats, OneLook, Pixels, to_canvas, to_faces
from embedder.device import CPU, Device
from embedder.session import Session

CELL = 4  # pixels of the image to one of the heat map


class CenterFace(OneLook):
    """A Detector. Its landmarks are the closer ones, and hold to 60 degrees of rotation."""

    def __init__(self, path: Path, side: int = SIDE, *, device: Device = CPU) -> None:
        self._session = Session(path, ["537", "538", "539", "540"], device)
        self._side = side

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        canvas = to_canvas(pixels, self._side)
        (candidates,) = self.look(canvas.planes(), min_score)
        return to_faces(candidates, canvas)

    def look(self, images: npt.NDArray[np.generic], min_score: float) -> list[Faces]:
        """What may be faces on each of (n, 3, rows, columns) images, sides multiples of STRIDE.

        A face is there several times. The order is no particular one.
        """
        return [_read(each, min_score) for each in zip(*self._session.run(images), strict=True)]


def _read(answers: tuple[Floats, ...], min_score: float) -> Faces:
    heat, size, offset, marks = answers
    rows, columns = np.nonzero(heat[0] >= min_score)
    # (n, 2): row and column, as all that comes in pairs here.
    spots = np.stack([rows, columns], 1).astype(np.float32)
    sizes = np.exp(size[:, rows, columns].T) * CELL
    corners = (spots + offset[:, rows, columns].T + 0.5) * CELL - sizes / 2
    landmarks = marks[:, rows, columns].T.reshape(-1, 5, 2) * sizes[:, None] + corners[:, None]
    boxes = np.concatenate([corners[:, ::-1], sizes[:, ::-1]], 1)
    return Faces(boxes, landmarks[:, :, ::-1], heat[0, rows, columns])
