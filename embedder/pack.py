"""A model pack: networks that belong together, where they come from, how their answers are to be read."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedder.fetching.archives import Archive, Member
from embedder.template import Frame, reframed


class PackUnknown(Exception):
    """No model pack has this name. The message says which there are."""


class Calibration(NamedTuple):
    """How the Euclidean distance of two embeddings becomes a similarity, as mien.v1.Calibration says."""

    threshold: float
    steepness: float


class Network(NamedTuple):
    """A network as it is published."""

    name: str  # what it is known as, such as "dlib"
    archive: Archive
    member: Member
    licence: str  # its SPDX name
    conversion: str | None  # a kind of embedder.conversion; None: used as it is


class Detection(NamedTuple):
    """How faces are found."""

    kind: str  # "centerface" or "yunet": the name of its network too
    min_score: float  # what scores lower is no face, unless the caller says otherwise; in [0, 1]
    template: npt.NDArray[np.float64]  # (5, 2): where the landmarks of a face lie on a chip, in pixels


class Attribute(NamedTuple):
    """What a network that tells an attribute of faces takes: chips of its own, as float32, channels first.

    From each colour its mean is taken, and the rest is divided by the deviation.
    """

    chip_size: int  # width and height, in pixels
    template: npt.NDArray[np.float64]  # (5, 2): as that of the detection, but on these chips
    mean: tuple[float, float, float]  # of red, green and blue, in [0, 255]
    deviation: float


@dataclass(frozen=True)
class Pack:
    """What a file of `embedder/packs` says."""

    name: str
    detection: Detection
    chip_size: int  # width and height of what the recogniser takes, in pixels
    dimension: int  # length of an embedding
    calibration: Calibration
    age: Attribute | None  # of the network "age": its belief in being 0, 1, 2, ... years old
    gender: Attribute | None  # of the network "gender": its belief in female and male
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
    networks = told["networks"]
    recogniser = networks["recogniser"]
    template = np.array(networks[kind]["template"])
    attributes = {
        key: _attribute(networks[key], template, _frame(recogniser))
        for key in ("age", "gender")
        if key in networks
    }
    archives = {key: Archive(**value) for key, value in told["archives"].items()}
    return Pack(
        name=told["name"],
        detection=Detection(kind, networks[kind]["min_score"], template),
        chip_size=recogniser["chip_size"],
        dimension=recogniser["dimension"],
        calibration=Calibration(**told["calibration"]),
        age=attributes.get("age"),
        gender=attributes.get("gender"),
        networks={key: _network(key, value, archives) for key, value in networks.items()},
    )


def _frame(told: dict[str, Any]) -> Frame:
    return Frame(told["chip_size"], told["padding"])


def _attribute(told: dict[str, Any], template: npt.NDArray[np.float64], of: Frame) -> Attribute:
    mean = told["mean"]
    return Attribute(
        told["chip_size"],
        reframed(template, of, _frame(told)),
        (mean[0], mean[1], mean[2]),
        told["deviation"],
    )


def _network(key: str, told: dict[str, Any], archives: dict[str, Archive]) -> Network:
    return Network(
        told.get("name", key),
        archives[told["archive"]],
        Member(told["path"], told["sha256"]),
        told["licence"],
        told.get("conversion"),
    )
