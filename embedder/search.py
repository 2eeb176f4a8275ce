"""Which faces of an image are wanted."""

from typing import NamedTuple

import numpy as np

from embedder.detector import Faces


class Search(NamedTuple):
    """What a caller may say of them; by default, every face is wanted."""

    min_score: float | None = None  # in [0, 1]; None: as the model pack says
    max_faces: int | None = None  # so many of the largest; None: all
    min_face_size: int = 0  # what a box is wide and high at least, in pixels
    whole_image: bool = False  # the image is taken for a face


EVERY = Search()


def whole(width: int, height: int) -> Faces:
    """The whole image as one face of score 1, without landmarks."""
    box = np.array([[0, 0, width, height]], np.float32)
    return Faces(box, np.empty((0, 5, 2), np.float32), np.ones(1, np.float32))


def chosen(faces: Faces, search: Search) -> Faces:
    """Those that are large enough, and no more than asked for; of `faces`, the largest come first."""
    boxes, landmarks, scores = faces
    large = (boxes[:, 2:] >= search.min_face_size).all(1)
    kept = np.flatnonzero(large)[: search.max_faces]
    return Faces(boxes[kept], landmarks[kept] if len(landmarks) else landmarks, scores[kept])
