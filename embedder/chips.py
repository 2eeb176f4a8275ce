"""The ways to cut a face out that networks learnt from, by their names in chips.toml."""

import tomllib
from enum import Enum, auto
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedder.template import Frame, reframed

Points = npt.NDArray[np.float64]


class By(Enum):
    """What of a face is brought to the template."""

    LANDMARKS = auto()  # the detector's five
    POINTS = auto()  # those that dlib's predictor places
    BOX = auto()  # the corners of the square around its box


class Chip(NamedTuple):
    """How a face lies on the chips of a network."""

    size: int  # width and height, in pixels
    template: Points  # (points, 2): where points of the face lie on a chip, in pixels
    by: By


class Usual(NamedTuple):
    """What a recogniser of such chips has if nobody says better; see embedder.pack for what they are."""

    mean: list[float]
    deviation: float
    calibration: dict[str, float]


def read_chip(name: str, detector: str = "", *, placed: bool = False) -> Chip:
    """The chip of this name, for faces that `detector` finds, or any.

    `placed`: dlib's predictor places their points.
    """
    told = _tables()
    chip = told[name]
    source = told[chip.get("like", name)]
    by = By.BOX if chip.get("of") == "box" else By.POINTS if placed and "points" in source else By.LANDMARKS
    fitted = source.get("fitted", {}).get(detector, source["template"])
    template = np.array(source["points"] if by is By.POINTS else fitted, np.float64)
    if "like" in chip:
        template = reframed(
            template, Frame(source["size"], source["padding"]), Frame(chip["size"], chip["padding"])
        )
    return Chip(chip["size"], template, by)


def read_box(name: str) -> tuple[float, float, float]:
    """Left edge, top edge and width of where a face's box lies on the chip of this name, in pixels."""
    left, top, width = _tables()[name]["box"]
    return left, top, width


def recognisers() -> dict[str, Usual]:
    """The chips that recognisers take, by their names."""
    return {
        name: Usual(chip["mean"], chip["deviation"], chip["calibration"])
        for name, chip in _tables().items()
        if "calibration" in chip
    }


def known_chips() -> list[str]:
    """The names of all chips."""
    return list(_tables())


def _tables() -> dict[str, Any]:
    return tomllib.loads((files("embedder") / "chips.toml").read_text())
