"""Cuts a face out so that its landmarks lie where a network learnt to expect them."""

import cv2
import numpy as np
import numpy.typing as npt

from embedder.detector import Floats, Pixels
from embedder.halving import halved, halvings

Matrix = npt.NDArray[np.float64]


def align(pixels: Pixels, landmarks: Floats, template: Matrix, size: int) -> Pixels:
    """The chip of a face, (size, size, 3) RGB like `pixels`; black where it reaches over the image's edge.

    `landmarks` and `template` are (n, 2): x and y in the pixels of the image and of the chip.
    """
    to_chip = np.eye(3)
    to_chip[:2] = similarity(landmarks.astype(np.float64), template)
    # A face that is shrunk by more than a half is averaged first: interpolation alone would skip pixels.
    scale = np.hypot(*to_chip[:2, 0])
    if not 1e-9 < scale < 1e9:  # no face has such landmarks
        return np.zeros((size, size, 3), np.uint8)
    times = halvings(1, scale)
    low, high = np.clip(_reach(to_chip, size, 2.0**times), 0, pixels.shape[1::-1])
    if (low >= high).any():  # the whole chip lies outside of the image
        return np.zeros((size, size, 3), np.uint8)
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    region = halved(pixels[top:bottom, left:right], times)
    to_image = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]]) @ region.matrix()
    matrix = (to_chip @ to_image)[:2]
    return cv2.warpAffine(region.lying, matrix, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def fit(pixels: Pixels, size: int) -> Pixels:
    """The whole of an image as a chip, (size, size, 3) RGB: its aspect is not kept."""
    half = halved(pixels, halvings(min(pixels.shape[:2]), size))
    rows, columns = half.lying.shape[:2]
    shrunk = cv2.resize(half.lying, (min(columns, size), min(rows, size)), interpolation=cv2.INTER_AREA)
    chip = cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(half.orientation.upright(chip))  # type: ignore[arg-type]


def similarity(source: Matrix, target: Matrix) -> Matrix:
    """The (..., 2, 3) matrices of the rotation, scaling and shift that take `source` nearest to `target`.

    Both are (..., n, 2). Least squares without reflection (Umeyama 1991), which for points of the plane as
    complex numbers is one division. Zeros on the left if all of `source` is one point.
    """
    here, there = _complex(source), _complex(target)
    number = here.shape[-1]
    middle, goal = here.sum(-1) / number, there.sum(-1) / number
    centred = here - middle[..., None]
    spread = np.vecdot(centred, centred).real
    turn = np.vecdot(centred, there - goal[..., None]) / np.where(spread, spread, 1)
    shift = goal - turn * middle
    matrices = np.empty((*turn.shape, 2, 3))
    matrices[..., 0, 0] = matrices[..., 1, 1] = turn.real
    matrices[..., 1, 0] = turn.imag
    matrices[..., 0, 1] = -turn.imag
    matrices[..., 0, 2], matrices[..., 1, 2] = shift.real, shift.imag
    return matrices


def _complex(points: Matrix) -> npt.NDArray[np.complex128]:
    """(..., n): points of the plane as complex numbers."""
    return np.ascontiguousarray(points).view(np.complex128)[..., 0]


def _reach(to_chip: Matrix, size: int, cell: float) -> Matrix:
    """(2, 2): from which x and y of the image, and up to which, a chip needs pixels averaged by `cell`."""
    end = size - 1
    corners = np.array([[0, end, 0, end], [0, 0, end, end], [1, 1, 1, 1]], np.float64)
    reached = (np.linalg.inv(to_chip) @ corners)[:2]
    return np.array([np.floor(reached.min(1)) - cell, np.ceil(reached.max(1)) + 2 * cell])
