"""dlib's shape predictor: places the points of a face that dlib's networks were taught to be aligned by.

An ensemble of regression trees, which moves a mean shape step by step by what pixels around it look like
(Kazemi and Sullivan 2014).
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedder.alignment import similarity
from embedder.detector import Floats, Pixels

DEPTH = 4  # of a tree
_ONES = np.ones(3, np.int32)


class Predictor:
    """May be used from several threads at once."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as told:
            self._shape = told["shape"].astype(np.float64)
            self._anchors, self._deltas = told["anchors"], told["deltas"].astype(np.float64)
            stages, trees, splits = told["first"].shape
            # A row for each stage, tree after tree: a node or a leaf of any tree is one number.
            self._first, self._second, self._thresholds = (
                np.ascontiguousarray(told[name].reshape(stages, trees * splits))
                for name in ("first", "second", "thresholds")
            )
            self._leaves = told["leaves"].reshape(stages, trees * (splits + 1), -1)
        self._nodes = np.arange(trees) * splits
        self._ends = np.arange(trees) * (splits + 1) - splits

    def place(self, pixels: Pixels, frame: npt.NDArray[np.float64]) -> Floats:
        """The (5, 2) points of a face, x and y in the image's pixels.

        They are the outer and the inner corner of the eye on the right of the image, the outer and the inner
        one of the other eye, the foot of the nose.

        `frame` is the (2, 3) matrix that takes the unit square to the face's box in the image, upright with
        the face: as dlib's own detector would box it.
        """
        shape = self._shape
        for stage in range(len(self._first)):
            values = self._values(pixels, frame, shape, stage)
            shape = shape + self._step(values, stage)
        points: Floats = (shape @ frame[:, :2].T + frame[:, 2]).astype(np.float32)
        return points

    def _values(
        self, pixels: Pixels, frame: npt.NDArray[np.float64], shape: npt.NDArray[np.float64], stage: int
    ) -> Floats:
        """How bright the image is at the points that this stage looks at; 0 outside of it."""
        turn = similarity(self._shape, shape)[:, :2]
        points = self._deltas[stage] @ turn.T + shape[self._anchors[stage]]
        x, y = np.floor(points @ frame[:, :2].T + frame[:, 2] + 0.5).astype(np.intp).T
        rows, columns = pixels.shape[:2]
        seen = pixels[y.clip(0, rows - 1), x.clip(0, columns - 1)]
        bright: Floats = (seen.astype(np.int32) @ _ONES // 3).astype(np.float32)
        bright[(x < 0) | (y < 0) | (x >= columns) | (y >= rows)] = 0
        return bright

    def _step(self, values: Floats, stage: int) -> npt.NDArray[np.float64]:
        """What the trees together move each point by."""
        node = np.zeros_like(self._nodes)
        for _ in range(DEPTH):
            at = self._nodes + node
            differs = values[self._first[stage][at]] - values[self._second[stage][at]]
            node = 2 * node + 2 - (differs > self._thresholds[stage][at])
        leaves: npt.NDArray[np.float64] = self._leaves[stage][self._ends + node].sum(0, dtype=np.float64)
        return leaves.reshape(-1, 2)
