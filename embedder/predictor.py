"""dlib's shape predictor: places the points of a face that dlib's networks were taught to be aligned by.

An ensemble of regression trees, which moves a mean shape step by step by what pixels around it look like
(Kazemi and Sullivan 2014). What a stage looks at, and what its trees ask, is laid out beforehand, so that a
stage is a dozen calls of numpy for all faces together.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedder.brightness import Brightness
from embedder.detector import Floats, Pixels

DEPTH = 4  # of a tree
NODES = 2**DEPTH  # of a tree, with one that says nothing: the answers of all are 16 bits
FACES = 16  # placed at once: what they need stays in the cache of a core

Matrix = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]


class Predictor:
    """May be used from several threads at once."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as told:
            shape = told["shape"].astype(np.float64)
            first, second, thresholds, leaves = (
                told[name] for name in ("first", "second", "thresholds", "leaves")
            )
            self._looks = _looks(told["deltas"], told["anchors"], len(shape))
        stages, trees = first.shape[:2]
        self._mean, self._spread = shape.reshape(1, -1), _spread(shape)
        self._asked = np.stack([_padded(first), _padded(second)], 1).astype(np.intp)
        # Differences of whole numbers are more than a number if they are more than what it has of whole ones.
        self._thresholds = np.floor(_padded(thresholds)).clip(-1000, 1000).astype(np.int16)
        self._leaves = leaves.reshape(stages, trees * NODES, -1).astype(np.float64)
        self._leaf, self._trees, self._ones = _leaf(), np.arange(trees) * NODES, np.ones(trees)

    def place(self, pixels: Pixels, frames: Matrix) -> Floats:
        """The (..., 5, 2) points of faces, x and y in the image's pixels.

        They are the outer and the inner corner of the eye on the right of the image, the outer and the inner
        one of the other eye, the foot of the nose.

        `frames`, (..., 2, 3), are matrices that take the unit square to a face's box in the image, upright
        with the face: as dlib's own detector would box it.
        """
        image, each = Brightness(pixels), frames.reshape(-1, 2, 3)
        points = np.empty((len(each), self._mean.size // 2, 2), np.float32)
        for start in range(0, len(each), FACES):
            points[start : start + FACES] = self._place(image, each[start : start + FACES])
        return points.reshape(*frames.shape[:-2], *points.shape[1:])

    def _place(self, image: Brightness, frames: Matrix) -> Matrix:
        shapes = np.repeat(self._mean, len(frames), 0)
        turns, shifts = frames[:, :, :2], frames[:, :, 2:]
        for stage, looks in enumerate(self._looks):
            spread = turns @ (shapes @ self._spread).reshape(len(frames), 2, -1)
            shapes += self._step(image.at(spread @ looks + shifts), stage)
        points: Matrix = shapes.reshape(len(frames), -1, 2) @ turns.swapaxes(1, 2) + shifts.swapaxes(1, 2)
        return points

    def _step(self, values: npt.NDArray[np.int16], stage: int) -> Matrix:
        """What the trees together move the points of each face by."""
        pairs = values.take(self._asked[stage], 1)
        answers = pairs[:, 0] - pairs[:, 1] > self._thresholds[stage]
        trees = np.packbits(answers, 1, "little").view("<u2")
        moves = self._leaves[stage].take(self._leaf.take(trees) + self._trees, 0)
        step: Matrix = self._ones @ moves
        return step


def _spread(mean: Matrix) -> Matrix:
    """(10, 14): takes a shape's points to what a stage's `looks` are multiplied with, (2, 7).

    These are the turn and scaling that bring the mean shape nearest to that shape, and its points.
    """
    centred = mean - mean.mean(0)
    along = centred / np.square(centred).sum()
    across = along[:, ::-1] * [-1, 1]
    turn = np.array([[along, -across], [across, along]]).reshape(2, 2, -1).transpose(2, 0, 1)
    points = np.eye(mean.size).reshape(mean.size, -1, 2).swapaxes(1, 2)
    return np.concatenate([turn, points], 2).reshape(mean.size, -1)


def _looks(deltas: Floats, anchors: Numbers, points: int) -> Matrix:
    """(stages, 7, m): where each stage looks, as a delta that turns with the shape and a point of it."""
    anchored = anchors[:, None] == np.arange(points)[:, None]
    return np.concatenate([deltas.swapaxes(1, 2), anchored], 1).astype(np.float64)


def _padded(nodes: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(stages, trees * NODES) of (stages, trees, NODES - 1)."""
    return np.pad(nodes, ((0, 0), (0, 0), (0, 1))).reshape(len(nodes), -1)


def _leaf() -> Numbers:
    """The leaf that the answers of a tree lead to, for each of all answers: the bit of a node is its own."""
    answers = np.arange(2**NODES)
    node = np.zeros_like(answers)
    for _ in range(DEPTH):
        node = 2 * node + 2 - (answers >> node & 1)
    leaf: Numbers = node - (NODES - 1)
    return leaf
