"""A model pack of the user's own: a recogniser in an ONNX file, and the rest from the pack `open`."""

import hashlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder.chips import read_chip, recognisers
from embedder.pack_errors import PackInvalid

if TYPE_CHECKING:
    from embedder.conversion.recognisers import Seen

OF_OPEN = ("yunet+centerface", "centerface", "yunet")  # the detectors that `open` has


def completed(path: Path, other: dict[str, Any]) -> dict[str, Any]:
    """The tables of a whole pack: what the file at `path` says, and what `other` does where it is silent.

    Raises PackInvalid.
    """
    told = _read(path)
    usual = recognisers()[told["chip"]]
    network = (path.parent / Path(told["recogniser"]).expanduser()).absolute()
    seen, sha256 = _seen(path, network, told)
    detector = told.get("detector", other["detector"])
    name = told.get("name") or re.sub(r"[^\w.-]+", "-", network.stem)
    recogniser = {
        "name": name,
        "folder": str(network.parent),
        "path": network.name,
        "sha256": sha256,
        "licence": "your own",
        "conversion": "chips",
        "chip": told["chip"],
        "dimension": seen.dimension,
        "mean": [float(each) for each in told.get("mean", usual.mean)],
        "deviation": float(told.get("deviation", usual.deviation)),
        "colours": told.get("colours", "rgb"),
        "output": seen.output,
    }
    # What makes other embeddings of the same file makes another model too.
    settings = [detector, *(recogniser[key] for key in ("chip", "mean", "deviation", "colours", "output"))]
    mark = hashlib.sha256(repr(settings).encode()).hexdigest()[:4]
    return {
        **other,
        "name": f"{name}@{sha256[:8]}-{mark}",
        "detector": detector,
        "calibration": told.get("calibration", usual.calibration),
        "networks": {**other["networks"], "recogniser": recogniser},
    }


def _seen(path: Path, network: Path, told: dict[str, Any]) -> tuple["Seen", str]:
    """How the network is to be fed, and its hash."""
    from embedder.conversion.recognisers import look  # needs onnx, which takes a while to import

    try:
        with network.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        seen = look(network, read_chip(told["chip"]).size, told.get("output"))
    except OSError as error:
        raise PackInvalid(f"{path}: the recogniser {network} cannot be read: {error.strerror}") from None
    except PackInvalid as error:
        raise PackInvalid(f"{path}: {error}") from None
    if seen.takes_bytes and {"mean", "deviation"} & set(told):
        raise PackInvalid(f"{path}: {network.name} takes bytes as they are: leave mean and deviation away")
    return seen, sha256


def _read(path: Path) -> dict[str, Any]:
    try:
        told = tomllib.loads(path.read_text())
    except OSError as error:
        raise PackInvalid(f"the pack file {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackInvalid(f"{path} is no TOML: {error}") from None
    rules: tuple[tuple[str, Callable[[Any], object], str], ...] = (
        ("recogniser", _is_text, "the path of an ONNX file"),
        ("chip", lambda value: _is_text(value) and value in recognisers(), " or ".join(recognisers())),
        ("name", lambda value: _is_text(value) and re.fullmatch(r"[\w.-]{1,60}", value), "a word"),
        ("detector", lambda value: value in OF_OPEN, " or ".join(OF_OPEN)),
        ("calibration", _is_calibration, "{threshold = ..., steepness = ...}, both positive"),
        ("mean", _is_mean, "[red, green, blue], each from 0 to 255"),
        ("deviation", _is_positive, "a positive number"),
        ("colours", lambda value: value in ("rgb", "bgr"), "rgb or bgr"),
        ("output", _is_text, "the name of one of the network's outputs"),
    )
    keys = [key for key, _, _ in rules]
    if strangers := sorted(set(told) - set(keys)):
        raise PackInvalid(f"{path}: there is no {', '.join(strangers)}; a pack file has {', '.join(keys)}")
    for key, good, wanted in rules:
        if key in told and not good(told[key]):
            raise PackInvalid(f"{path}: {key} = {told[key]!r} must be {wanted}")
        if key not in told and key in ("recogniser", "chip"):
            raise PackInvalid(f"{path}: {key} is missing: {wanted}")
    return told


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and 0 < value < float("inf")


def _is_mean(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is_number(v) and 0 <= v <= 255 for v in value)


def _is_calibration(value: Any) -> bool:
    wanted = {"threshold", "steepness"}
    return isinstance(value, dict) and set(value) == wanted and all(map(_is_positive, value.values()))
