"""The ways to cut a face out that networks learnt from, by their names in chips.toml."""

import tomllib
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedder.template import Frame, reframed


class Chip(NamedTuple):
    """How a face lies on the chips of a network."""

    size: int  # width and height, in pixels
    template: npt.NDArray[np.float64]  # (points, 2): where points of the face lie on a chip, in pixels
    of_box: bool  # the points are the corners of the square around its box; else its five landmarks


class Usual(NamedTuple):
    """What a recogniser of such chips has if nobody says better; see embedder.pack for what they are."""

    mean: list[float]
    deviation: float
    calibration: dict[str, float]


def read_chip(name: str, detector: str = "") -> Chip:
    """The chip of this name, for faces that `detector` finds, or any."""
    told = _tables()
    chip = told[name]
    source = told[chip.get("like", name)]
    template = np.array(source.get("fitted", {}).get(detector, source["template"]), np.float64)
    if "like" in chip:
        template = reframed(
            template, Frame(source["size"], source["padding"]), Frame(chip["size"], chip["padding"])
        )
    return Chip(chip["size"], template, chip.get("of") == "box")


def recognisers() -> dict[str, Usual]:
    """The chips that recognisers take, by their names."""
    return {
        name: Usual(chip["mean"], chip["deviation"], chip["calibration"])
        for name, chip in _tables().items()
        if "calibration" in chip
    }


def _tables() -> dict[str, Any]:
    return tomllib.loads((files("embedder") / "chips.toml").read_text())
