"""Cuts a face out so that its landmarks lie where a network learnt to expect them."""

import cv2
import numpy as np
import numpy.typing as npt

from embedder.detector import Floats, Pixels

COARSE = 0.5  # a face shrunk by more is averaged first: interpolation alone would skip pixels


def align(pixels: Pixels, landmarks: Floats, template: npt.NDArray[np.float64], size: int) -> Pixels:
    """The chip of a face, (size, size, 3) RGB like `pixels`; black where it reaches over the image's edge.

    `landmarks` and `template` are (5, 2): x and y in the pixels of the image and of the chip.
    """
    matrix = similarity(landmarks.astype(np.float64), template)
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < COARSE:
        pixels, matrix = _averaged(pixels, matrix, scale, size)
    return cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def fit(pixels: Pixels, size: int) -> Pixels:
    """The whole of an image as a chip, (size, size, 3) RGB: its aspect is not kept."""
    rows, columns = pixels.shape[:2]
    shrunk = cv2.resize(pixels, (min(columns, size), min(rows, size)), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def similarity(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The (2, 3) matrix of the rotation, scaling and shift that take `source` nearest to `target`, (n, 2).

    Least squares without reflection (Umeyama 1991), which for points of the plane as complex numbers is
    one division.
    """
    here, there = source @ [1, 1j], target @ [1, 1j]
    centred = here - here.mean()
    turn = np.vdot(centred, there - there.mean()) / np.vdot(centred, centred).real
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _averaged(
    pixels: Pixels, matrix: npt.NDArray[np.float64], scale: float, size: int
) -> tuple[Pixels, npt.NDArray[np.float64]]:
    """The region of the chip, shrunk to about the chip's scale, and the matrix from there to the chip."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    reached = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low = np.maximum(np.floor(reached.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(reached.max(0)).astype(int) + 1, pixels.shape[1::-1])
    if (high - low < 1).any():  # the whole chip lies outside of the image
        return pixels, matrix
    region = pixels[low[1] : high[1], low[0] : high[0]]
    smaller = np.maximum(np.rint((high - low) * scale), 1).astype(int)
    shrunk = cv2.resize(region, smaller.tolist(), interpolation=cv2.INTER_AREA)
    factor = smaller / (high - low)
    # Pixel x of the region has its centre at (x + 0.5) * factor - 0.5 of the shrunk one.
    linear = matrix[:, :2] / factor
    shift = matrix[:, 2] + matrix[:, :2] @ (low + 0.5 / factor - 0.5)
    return shrunk, np.column_stack([linear, shift])  # type: ignore[return-value]
