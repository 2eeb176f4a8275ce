"""How bright an image is at some points of it: of the others nothing is computed."""

import numpy as np
import numpy.typing as npt

from embedder.orientation import Orientation, Pixels


class Brightness:
    """Pixels in the order of memory, and where what is upright lies there: no pixel moves for it."""

    def __init__(self, pixels: Pixels) -> None:
        orientation = Orientation.of_view(pixels)
        lying = np.ascontiguousarray(orientation.lying(pixels))
        upright = orientation.upright(lying)
        self._bytes = lying.reshape(-1)
        self._down, self._right = upright.strides[:2]
        height, width = upright.shape[:2]
        ends = ((height - 1) * self._down, (width - 1) * self._right)
        self._colours = np.arange(3)[:, None] - sum(end for end in ends if end < 0)
        self._size = np.array([[width], [height]], np.uintp)

    def at(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
        """(n, m): how bright the image is at (n, 2, m) points, in [0, 255]; 0 outside of it."""
        spots = np.floor(points + 0.5).astype(np.intp)
        outside = spots.view(np.uintp) >= self._size  # what is less than 0 is a large number
        over = outside.any()
        if over:
            spots[outside] = 0
        at = spots[:, 1] * self._down + spots[:, 0] * self._right
        colours = self._bytes.take(at[:, None] + self._colours)
        bright: npt.NDArray[np.int16] = colours.sum(1, dtype=np.int16) // 3
        if over:
            bright[outside.any(1)] = 0
        return bright
