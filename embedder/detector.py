"""Finds the faces of an image."""

from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE = 640  # pixels: images are shrunk to this longer side; smaller ones are not enlarged
STRIDE = 32  # pixels: networks take multiples of it
OVERLAP = 0.3  # of two boxes, as intersection over union, above which they show one face
MOST = 1000  # candidates considered, the best first


class Faces(NamedTuple):
    """n faces found in an image, in its pixels, origin at the top left."""

    boxes: Floats  # (n, 4): left, top, width, height
    landmarks: Floats  # (n, 5, 2): x and y of eye, eye, nose, corner and corner of the mouth, left first
    scores: Floats  # (n,), in [0, 1]


class Detector(Protocol):
    """What every detector of this package can do."""

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        """The faces of (rows, columns, 3) RGB pixels that score `min_score` or more, largest box first."""


class Canvas(NamedTuple):
    """An image as detectors take it."""

    pixels: Pixels  # (rows, columns, 3), multiples of STRIDE, the image at the top left on black
    scale: Floats  # (2,): factors of x and y from the image to the canvas


def to_canvas(pixels: Pixels) -> Canvas:
    """Shrinks an image to SIDE, keeping its aspect, and pads it."""
    rows, columns = pixels.shape[:2]
    shrink = min(1.0, SIDE / max(rows, columns))
    width, height = max(1, round(columns * shrink)), max(1, round(rows * shrink))
    if shrink < 1:
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    canvas = np.zeros((-height % STRIDE + height, -width % STRIDE + width, 3), np.uint8)
    canvas[:height, :width] = pixels
    return Canvas(canvas, np.array([width / columns, height / rows], np.float32))


def to_faces(candidates: Faces, canvas: Canvas) -> Faces:
    """Of candidates in the pixels of a canvas, one for each face, in pixels of the image."""
    boxes, landmarks, scores = candidates
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, OVERLAP, top_k=MOST)
    order = sorted(kept, key=lambda each: -boxes[each, 2] * boxes[each, 3])
    chosen = np.array(order, np.intp)
    boxes, landmarks, scores = boxes[chosen], landmarks[chosen], scores[chosen]
    return Faces(boxes / canvas.scale[[0, 1, 0, 1]], landmarks / canvas.scale, scores)
