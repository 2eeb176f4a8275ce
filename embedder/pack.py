"""A model pack: networks that belong together, where they come from, how their answers are to be read."""

import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embedder.chips import By, read_box, read_chip
from embedder.conversion.intake import Intake
from embedder.fetching.sources import Archive, Download, Folder, Member, Source
from embedder.own import completed
from embedder.pack_errors import PackUnknown

DEFAULT = "open"


class Calibration(NamedTuple):
    """How the Euclidean distance of two embeddings becomes a similarity, as mien.v1.Calibration says."""

    threshold: float
    steepness: float


class Tail(NamedTuple):
    """How alike two different people are, where that is seldom, as mien.v1.Tail says."""

    location: float
    scale: float
    shape: float
    rate: float


class Terms(NamedTuple):
    """What has to be accepted before networks may be used."""

    says: str  # in half a sentence
    url: str  # where they are in full


class Network(NamedTuple):
    """A network as it is published."""

    name: str  # what it is known as, such as "dlib"
    archive: Source
    member: Member
    licence: str  # its SPDX name, or a few words
    conversion: str | None  # a kind of embedder.conversion; None: used as it is
    intake: Intake | None = None  # of a recogniser that is converted by the kind "chips"
    ranges: str | None = None  # the file that embedder.conversion.ranges reads; None: there is no int8 of it


class Detection(NamedTuple):
    """How faces are found."""

    kind: str  # "centerface", "scrfd", "yunet" or "yunet+centerface": the names of its networks too
    min_score: float  # what scores lower is no face, unless the caller says otherwise; in [0, 1]
    template: npt.NDArray[np.float64]  # (5, 2): where the points of a face lie on a chip, in pixels
    by: By  # which points

    @property
    def networks(self) -> list[str]:
        """The names of the networks that do it together."""
        return self.kind.split("+")


class Aligning(NamedTuple):
    """How dlib's predictor is told where a face is, by the landmarks that a detector finds."""

    template: npt.NDArray[np.float64]  # (5, 2): where they lie on a chip, in pixels
    box: tuple[float, float, float]  # left, top and width of the face's box there


class Attribute(NamedTuple):
    """What a network that tells an attribute of faces takes: chips of its own, as float32, channels first.

    From each colour its mean is taken, and the rest is divided by the deviation.
    """

    chip_size: int  # width and height, in pixels
    template: npt.NDArray[np.float64]  # (points, 2): as that of the detection, but on these chips
    mean: tuple[float, float, float]  # of red, green and blue, in [0, 255]
    deviation: float
    by: By = By.LANDMARKS  # what the template is of
    answers: str = "beliefs"  # how to read it: a name of embedder.networks
    order: tuple[str, ...] = ()  # of what the network "mask" tells apart: values of embedder.mask.Wear
    takes_bytes: bool = False  # it was converted to take chips as they are: mean and deviation are in it


@dataclass(frozen=True)
class Pack:
    """What a file of `embedder/packs` says, or one of the user's own."""

    name: str
    detection: Detection
    chip_size: int  # width and height of what the recogniser takes, in pixels
    dimension: int  # length of an embedding
    calibration: Calibration
    strangers: Tail | None  # None: not measured
    age: Attribute | None  # of the network "age": what it says of how old a face looks
    gender: Attribute | None  # of the network "gender": what it says of how female and male a face looks
    mask: Attribute | None  # of the network "mask": what it says of whether a face wears one
    # By their names: those of detectors, "predictor", "recogniser", "age", "gender", "mask".
    networks: dict[str, Network]
    terms: Terms | None = None  # None: whoever has the pack may use it
    aligning: Aligning | None = None  # of the network "predictor"; None: faces are cut by landmarks
    flip: bool = False  # an embedding is the middle between those of a face and of its mirror image


def known_packs() -> list[str]:
    """The names of the packs that come with mien."""
    found = [file.name.removesuffix(".toml") for file in (files("embedder") / "packs").iterdir()]
    return sorted(set(found) - {"samples"})


def read_pack(name: str, detector: str | None = None, *, flip: bool = False) -> Pack:
    """The pack of this name or in this file, with `detector` in place of its own if one is named.

    With `flip` it is another model: its embeddings do not compare with those of the pack as it is.
    Raises PackUnknown, and PackInvalid for a file of the user's own.
    """
    if name.endswith(".toml"):
        told = completed(Path(name), _tables(DEFAULT))
    elif name in known_packs():
        told = _tables(name)
    else:
        known = ", ".join(known_packs())
        raise PackUnknown(
            f"there is no model pack {name!r}; there are: {known}, and any file that ends in .toml"
        )
    kind = detector or told["detector"]
    networks = told["networks"]
    # Two that have to agree may each be less strict.
    min_score = min(networks[each]["min_score"] for each in kind.split("+"))
    recogniser = networks["recogniser"]
    placed = "predictor" in networks
    chip = read_chip(recogniser["chip"], kind, placed=placed)
    attributes = {
        key: _attribute(networks[key], kind, placed) for key in ("age", "gender", "mask") if key in networks
    }
    archives = {key: _source(value) for key, value in told.get("archives", {}).items()}
    as_it_is = Pack(
        name=told["name"],
        detection=Detection(kind, min_score, chip.template, chip.by),
        chip_size=chip.size,
        dimension=recogniser["dimension"],
        calibration=Calibration(**told["calibration"]),
        strangers=_tail(told.get("strangers")),
        age=attributes.get("age"),
        gender=attributes.get("gender"),
        mask=attributes.get("mask"),
        networks={key: _network(key, value, archives) for key, value in networks.items()},
        terms=Terms(**told["terms"]) if "terms" in told else None,
        aligning=_aligning(networks["predictor"], kind) if placed else None,
    )
    return _flipped(as_it_is, recogniser) if flip else as_it_is


def _flipped(pack: Pack, told: dict[str, Any]) -> Pack:
    calibration = Calibration(**told["flipped"]) if "flipped" in told else pack.calibration
    strangers = _tail(told.get("flipped_strangers"))
    return replace(pack, name=f"{pack.name}+flip", calibration=calibration, strangers=strangers, flip=True)


def _tail(told: dict[str, float] | None) -> Tail | None:
    return Tail(**told) if told else None


def _tables(name: str) -> dict[str, Any]:
    return tomllib.loads((files("embedder") / f"packs/{name}.toml").read_text())


def _aligning(told: dict[str, Any], detector: str) -> Aligning:
    return Aligning(read_chip(told["chip"], detector).template, read_box(told["chip"]))


def _attribute(told: dict[str, Any], detector: str, placed: bool) -> Attribute:
    chip = read_chip(told["chip"], detector, placed=placed)
    return Attribute(
        chip.size,
        chip.template,
        _colours(told),
        told["deviation"],
        chip.by,
        answers=told.get("answers", "beliefs"),
        order=tuple(told.get("order", ())),
        takes_bytes=told.get("conversion") == "chips",
    )


def _network(key: str, told: dict[str, Any], archives: dict[str, Source]) -> Network:
    source = archives[told["archive"]] if "archive" in told else _source(told)
    path = told["path"] if "path" in told else Download(told["url"], told["sha256"]).file
    conversion = told.get("conversion")
    intake = None
    if conversion == "chips":
        blue_first = told.get("colours") == "bgr"
        size = read_chip(told["chip"]).size
        beliefs = len(told.get("order", ()))
        intake = Intake(size, _colours(told), told["deviation"], blue_first, told.get("output"), beliefs)
    member, ranges = Member(path, told["sha256"]), told.get("ranges")
    return Network(told.get("name", key), source, member, told["licence"], conversion, intake, ranges)


def _source(told: dict[str, Any]) -> Source:
    if "folder" in told:
        return Folder(Path(told["folder"]))
    if "url" in told:
        return Download(told["url"], told["sha256"])
    return Archive(**told)


def _colours(told: dict[str, Any]) -> tuple[float, float, float]:
    red, green, blue = told["mean"]
    return (red, green, blue)
