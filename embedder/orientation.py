"""How the pixels of an upright image lie in memory: upright too, or as the camera was held."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


class Orientation(NamedTuple):
    """What makes lying pixels upright: first rows become columns if `swapped`, then the others mirror."""

    swapped: bool = False
    upwards: bool = False
    leftwards: bool = False

    @staticmethod
    def of_tag(tag: int) -> "Orientation":
        """What EXIF's Orientation says, from 1 to 8; other numbers say nothing."""
        return Orientation(*_TAGS.get(tag, ()))

    @staticmethod
    def of_view(upright: Pixels) -> "Orientation":
        """That of an upright view, by its steps in memory from one pixel to the next."""
        down, right = upright.strides[:2]
        return Orientation(abs(down) < abs(right), down < 0, right < 0)

    def upright(self, lying: Pixels) -> Pixels:
        """An upright view of lying pixels: none is moved."""
        view = lying.swapaxes(0, 1) if self.swapped else lying
        return view[:: -1 if self.upwards else 1, :: -1 if self.leftwards else 1]

    def lying(self, upright: Pixels) -> Pixels:
        """The inverse of `upright`."""
        view = upright[:: -1 if self.upwards else 1, :: -1 if self.leftwards else 1]
        return view.swapaxes(0, 1) if self.swapped else view

    def matrix(self, rows: int, columns: int) -> npt.NDArray[np.float64]:
        """(3, 3): takes x, y, 1 of lying pixels to those of the upright image, of this size."""
        x = [-1, 0, columns - 1] if self.leftwards else [1, 0, 0]
        y = [0, -1, rows - 1] if self.upwards else [0, 1, 0]
        matrix = np.array([x, y, [0, 0, 1]], np.float64)
        return matrix[:, [1, 0, 2]] if self.swapped else matrix


_TAGS = {  # swapped, upwards, leftwards
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
