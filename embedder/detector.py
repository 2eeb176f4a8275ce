"""Finds the faces of an image."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from embedder.halving import halved, halvings

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE = 640  # pixels: images are shrunk to this longer side; smaller ones are not enlarged
STRIDE = 32  # pixels: networks take multiples of it
OVERLAP = 0.3  # of two boxes, as intersection over union, above which they show one face
MOST = 1000  # candidates considered, the best first
LEAST = 0.2  # the score below which nothing is taken for a face, whatever is asked for: noise begins there


class Faces(NamedTuple):
    """n faces found in an image, in its pixels, origin at the top left."""

    boxes: Floats  # (n, 4): left, top, width, height
    landmarks: Floats  # (n, 5, 2): x and y of eye, eye, nose, corner and corner of the mouth, left first
    scores: Floats  # (n,), in [0, 1]

    def doubled(self, times: int) -> "Faces":
        """The same in an image whose sides were doubled so often, or halved if it is negative."""
        scale = np.float32(2.0**times)
        # A pixel becomes a square of them, and has its centre there in the middle.
        return Faces(self.boxes * scale, self.landmarks * scale + (scale - 1) / 2, self.scores)


class Detector(Protocol):
    """What every detector of this package can do."""

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        """The faces of (rows, columns, 3) RGB pixels that score `min_score` or more, largest box first."""

    # Pixels of a face's longer side, of which `confirm` sees all there is.
    close: float

    def seek(self, pixels: Pixels, min_score: float) -> Faces:
        """The first half of that, for which a longer side of SIDE pixels will do: what may be a face."""

    def confirm(self, pixels: Pixels, sought: Faces, min_score: float) -> Faces:
        """The second half: what is one. `sought` is in these pixels, which may be finer than the others."""


class OneLook(ABC):
    """A Detector that needs no second half."""

    close = 0.0

    @abstractmethod
    def find(self, pixels: Pixels, min_score: float) -> Faces: ...

    def seek(self, pixels: Pixels, min_score: float) -> Faces:
        return self.find(pixels, min_score)

    def confirm(self, pixels: Pixels, sought: Faces, min_score: float) -> Faces:
        return sought


class Canvas(NamedTuple):
    """An image as detectors take it."""

    pixels: Pixels  # (rows, columns, 3), multiples of STRIDE, the upright image at the top left on black
    size: tuple[int, int]  # rows and columns of the upright image there
    scale: Floats  # (2,): factors of x and y from the image to the canvas

    def smaller(self, side: int) -> "Canvas":
        """The image on a smaller canvas: most of the way it has been shrunk already."""
        rows, columns = self.size
        canvas = to_canvas(self.pixels[:rows, :columns], side)
        return canvas._replace(scale=canvas.scale * self.scale)

    def planes(self, *, blue_first: bool = False) -> Floats:
        """(1, 3, rows, columns), in [0, 255]: the canvas as networks take it."""
        planes = np.empty((1, 3, *self.pixels.shape[:2]), np.float32)
        for place, plane in zip((2, 1, 0) if blue_first else (0, 1, 2), cv2.split(self.pixels), strict=True):
            planes[0, place] = plane
        return planes


def to_canvas(pixels: Pixels, side: int = SIDE) -> Canvas:
    """Shrinks an image to a longer side of `side` pixels, keeping its aspect, and pads it.

    Only what is left is turned, should the pixels be an upright view of others. To average the pixels in one
    step would take as long as to decode a JPEG: they are halved, brought to twice the size by interpolation,
    which looks at each of them as long as it makes no less than half of it, and halved again.
    """
    half = halved(pixels, halvings(max(pixels.shape[:2]), 2 * side))
    lying = half.lying
    shrink = side / max(lying.shape[:2])
    if shrink < 1:
        size = [max(1, round(each * shrink)) for each in lying.shape[1::-1]]
        twice = [2 * each for each in size] if shrink < 0.5 else size
        lying = cv2.resize(lying, twice, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        if twice != size:
            lying = cv2.resize(lying, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    upright = half.orientation.upright(lying)
    height, width = upright.shape[:2]
    canvas = np.zeros((-height % STRIDE + height, -width % STRIDE + width, 3), np.uint8)
    canvas[:height, :width] = upright
    scale = np.array([width / half.columns, height / half.rows], np.float32)
    return Canvas(canvas, (height, width), scale)


def to_faces(candidates: Faces, canvas: Canvas) -> Faces:
    """Of candidates in the pixels of a canvas, one for each face, in pixels of the image."""
    boxes, landmarks, scores = separate(candidates)
    return Faces(boxes / canvas.scale[[0, 1, 0, 1]], landmarks / canvas.scale, scores)


def separate(candidates: Faces) -> Faces:
    """Of candidates that show one face the best, largest box first."""
    boxes, landmarks, scores = candidates
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), 0.0, OVERLAP, top_k=MOST)
    order = sorted(kept, key=lambda each: -boxes[each, 2] * boxes[each, 3])
    chosen = np.array(order, np.intp)
    return Faces(boxes[chosen], landmarks[chosen], scores[chosen])
