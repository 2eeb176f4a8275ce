"""YuNet: a small detector of faces at three scales. https://doi.org/10.1007/s11633-023-1423-y"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from embedder.detector import SIDE, Canvas, Faces, Floats, OneLook, Pixels, to_canvas, to_faces
from embedder.device import CPU, Device
from embedder.session import Session

CELLS = (8, 16, 32)  # pixels of the image to a cell of each scale
KINDS = ("cls", "obj", "bbox", "kps")
OUTPUTS = [f"{kind}_{cell}" for kind in KINDS for cell in CELLS]


class YuNet(OneLook):
    """A Detector, several times faster than CenterFace; its landmarks are looser."""

    def __init__(self, path: Path, side: int = SIDE, *, device: Device = CPU) -> None:
        self._session = Session(path, OUTPUTS, device)
        self.side = side  # pixels: of the canvas that it looks at

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        return self.look(to_canvas(pixels, self.side), min_score)

    def look(self, canvas: Canvas, min_score: float) -> Faces:
        """The faces on a canvas, in pixels of the image."""
        answers = [each[0] for each in self._session.run(canvas.planes(blue_first=True))]
        scales = len(CELLS)
        # (n, values) for the n cells of all scales.
        known, there, box, marks = (
            np.concatenate(answers[start : start + scales]) for start in range(0, len(answers), scales)
        )
        scores = np.sqrt(known * there)[:, 0]
        (at,) = np.nonzero(scores >= min_score)
        cells = _cells(*canvas.pixels.shape[:2])[at]
        spots, size = cells[:, :2], cells[:, 2:]
        sizes = np.exp(box[at, 2:]) * size
        corners = (spots + box[at, :2]) * size - sizes / 2
        landmarks = (spots[:, None] + marks[at].reshape(-1, 5, 2)) * size[:, None]
        return to_faces(Faces(np.concatenate([corners, sizes], 1), landmarks, scores[at]), canvas)


@lru_cache(64)
def _cells(rows: int, columns: int) -> Floats:
    """(n, 3): column and row of each cell in the grid of its scale, and its size in pixels of the image."""
    grids = []
    for size in CELLS:
        row, column = np.indices((rows // size, columns // size), np.float32).reshape(2, -1)
        grids.append(np.stack([column, row, np.full_like(row, size)], 1))
    return np.concatenate(grids)
