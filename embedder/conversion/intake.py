"""How a network wants its chips."""

from typing import NamedTuple


class Intake(NamedTuple):
    """From each colour its mean is taken, and the rest is divided by the deviation.

    A network that takes bytes gets them as they are.
    """

    size: int  # width and height, in pixels
    mean: tuple[float, float, float]  # of red, green and blue, in [0, 255]
    deviation: float
    blue_first: bool = False  # blue, green, red; else red, green, blue
    output: str | None = None  # which of the network's outputs is the answer; None: the only one there is
    beliefs: int = 0  # what it answers: so many, whose sum is 1; none: an embedding
