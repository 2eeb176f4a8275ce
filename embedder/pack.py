"""A model pack: networks that belong together, where they come from, how their answers are to be read."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedder.fetching.archives import Archive, Member


class PackUnknown(Exception):
    """No model pack has this name. The message says which there are."""


class Calibration(NamedTuple):
    """How the Euclidean distance of two embeddings becomes a similarity, as mien.v1.Calibration says."""

    threshold: float
    steepness: float


class Network(NamedTuple):
    """A network as it is published."""

    archive: Archive
    member: Member
    licence: str  # its SPDX name
    conversion: str | None  # a kind of embedder.conversion; None: used as it is


class Detection(NamedTuple):
    """How faces are found."""

    kind: str  # "centerface" or "yunet": the name of its network too
    min_score: float  # what scores lower is no face, unless the caller says otherwise; in [0, 1]
    template: npt.NDArray[np.float64]  # (5, 2): where the landmarks of a face lie on a chip, in pixels


@dataclass(frozen=True)
class Pack:
    """What a file of `embedder/packs` says."""

    name: str
    detection: Detection
    chip_size: int  # width and height of what the recogniser takes, in pixels
    dimension: int  # length of an embedding
    calibration: Calibration
    networks: dict[str, Network]  # by their names: "centerface", "yunet", "recogniser", "age", "gender"


def read_pack(name: str, detector: str | None = None) -> Pack:
    """The pack of this name, with `detector` in place of its own if one is named. Raises PackUnknown."""
    found = {file.name: file for file in (files("embedder") / "packs").iterdir()}
    found.pop("samples.toml")
    if f"{name}.toml" not in found:
        known = ", ".join(sorted(each.removesuffix(".toml") for each in found))
        raise PackUnknown(f"there is no model pack {name!r}; there are: {known}")
    told = tomllib.loads(found[f"{name}.toml"].read_text())
    kind = detector or told["detector"]
    archives = {key: Archive(**value) for key, value in told["archives"].items()}
    return Pack(
        name=told["name"],
        detection=_detection(kind, told["networks"][kind]),
        chip_size=told["networks"]["recogniser"]["chip_size"],
        dimension=told["networks"]["recogniser"]["dimension"],
        calibration=Calibration(**told["calibration"]),
        networks={key: _network(value, archives) for key, value in told["networks"].items()},
    )


def _detection(kind: str, told: dict[str, Any]) -> Detection:
    return Detection(kind, told["min_score"], np.array(told["template"]))


def _network(told: dict[str, Any], archives: dict[str, Archive]) -> Network:
    return Network(
        archives[told["archive"]],
        Member(told["path"], told["sha256"]),
        told["licence"],
        told.get("conversion"),
    )
