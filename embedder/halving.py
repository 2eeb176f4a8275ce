"""Shrinks images by halves: the quickest way that averages all pixels, see docs/performance.md."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from embedder.orientation import Orientation, Pixels


class Halved(NamedTuple):
    """An image that was shrunk in the order in which its pixels lie in memory."""

    lying: Pixels
    orientation: Orientation  # of `lying`
    rows: int  # of the upright image before
    columns: int

    def matrix(self) -> npt.NDArray[np.float64]:
        """(3, 3): takes x, y, 1 of `lying` to those of the upright image before; pixels have their centre
        at whole numbers.
        """
        rows, columns = self.orientation.upright(self.lying).shape[:2]
        x, y = self.columns / columns, self.rows / rows
        grown = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
        matrix: npt.NDArray[np.float64] = grown @ self.orientation.matrix(rows, columns)
        return matrix


def halved(upright: Pixels, times: int) -> Halved:
    """The image, halved so often, but for what makes less than a pixel at its right and lower edges."""
    rows, columns = (max(1, side >> times) << times for side in upright.shape[:2])
    upright = upright[:rows, :columns]
    orientation = Orientation.of_view(upright)
    lying = orientation.lying(upright)
    for _ in range(times):
        size = [max(1, side // 2) for side in lying.shape[1::-1]]
        lying = cv2.resize(lying, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return Halved(lying, orientation, *upright.shape[:2])


def halvings(size: float, least: float) -> int:
    """How often `size` can be halved and be no less than `least`."""
    return max(0, int(size / least).bit_length() - 1)
