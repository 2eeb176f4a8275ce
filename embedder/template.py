"""Where points of a face come to lie on the chips that networks take."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Frame(NamedTuple):
    """How much of a face a network's chips show."""

    size: int  # width and height of a chip, in pixels
    padding: float  # what it shows beyond the face on each side, in widths of the face


def reframed(template: npt.NDArray[np.float64], here: Frame, there: Frame) -> npt.NDArray[np.float64]:
    """(n, 2) pixels of chips framed like `here`, in pixels of chips framed like `there`."""
    on_face = template / here.size * (1 + 2 * here.padding) - here.padding  # in widths of the face
    return there.size * (there.padding + on_face) / (1 + 2 * there.padding)


def squares(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, 4, 2): the corners of the squares around the middle of (n, 4) boxes, with their longer sides.

    Left and right above, then left and right below.
    """
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    reach = boxes[:, 2:].max(1, keepdims=True) / 2
    corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
    result: npt.NDArray[np.float32] = middles[:, None] + reach[:, None] * corners
    return result
