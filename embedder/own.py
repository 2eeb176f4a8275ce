"""A model pack of the user's own: networks in ONNX files, and the rest from the pack `open`."""

import hashlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedder.chips import known_chips, read_chip, recognisers
from embedder.mask import Wear
from embedder.pack_errors import PackInvalid

if TYPE_CHECKING:
    from embedder.conversion.recognisers import Seen

OF_OPEN = ("yunet+centerface", "centerface", "yunet")  # the detectors that `open` has

# A key, what a good value of it is, and that in words.
Rules = tuple[tuple[str, Callable[[Any], object], str], ...]


def completed(path: Path, other: dict[str, Any]) -> dict[str, Any]:
    """The tables of a whole pack: what the file at `path` says, and what `other` does where it is silent.

    Raises PackInvalid.
    """
    told = _read(path)
    usual = recognisers()[told["chip"]]
    recogniser, seen = _network(
        path, told["recogniser"], told, {"mean": usual.mean, "deviation": usual.deviation}
    )
    recogniser["name"] = name = told.get("name") or re.sub(r"[^\w.-]+", "-", Path(recogniser["path"]).stem)
    recogniser["dimension"] = seen.dimension
    detector = told.get("detector", other["detector"])
    # What makes other embeddings of the same file makes another model too.
    settings = [detector, *(recogniser[key] for key in ("chip", "mean", "deviation", "colours", "output"))]
    mark = hashlib.sha256(repr(settings).encode()).hexdigest()[:4]
    networks = {**other["networks"], "recogniser": recogniser}
    if "mask" in told:  # which makes no other embeddings
        networks["mask"] = _mask(path, told["mask"])
    return {
        **other,
        "name": f"{name}@{recogniser['sha256'][:8]}-{mark}",
        "detector": detector,
        "calibration": told.get("calibration", usual.calibration),
        "strangers": None,  # those of the other pack are other strangers
        "networks": networks,
    }


def _mask(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    network, _ = _network(path, told["network"], told, {"mean": [127.5] * 3, "deviation": 127.5})
    return {**network, "order": told["order"]}


def _network(
    path: Path, file: str, told: dict[str, Any], usual: dict[str, Any]
) -> tuple[dict[str, Any], "Seen"]:
    """The table of a network in a file of the user's, and what was seen in it."""
    network = (path.parent / Path(file).expanduser()).absolute()
    seen, sha256 = _seen(path, network, told)
    table = {
        "folder": str(network.parent),
        "path": network.name,
        "sha256": sha256,
        "licence": "your own",
        "conversion": "chips",
        "chip": told["chip"],
        "mean": [float(each) for each in told.get("mean", usual["mean"])],
        "deviation": float(told.get("deviation", usual["deviation"])),
        "colours": told.get("colours", "rgb"),
        "output": seen.output,
    }
    return table, seen


def _seen(path: Path, network: Path, told: dict[str, Any]) -> tuple["Seen", str]:
    """How a network is to be fed, and its hash."""
    from embedder.conversion.recognisers import look  # needs onnx, which takes a while to import

    try:
        with network.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        beliefs = len(told.get("order", ()))
        seen = look(network, read_chip(told["chip"]).size, told.get("output"), beliefs)
    except OSError as error:
        raise PackInvalid(f"{path}: the network {network} cannot be read: {error.strerror}") from None
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
    fed: Rules = (
        ("mean", _is_mean, "[red, green, blue], each from 0 to 255"),
        ("deviation", _is_positive, "a positive number"),
        ("colours", lambda value: value in ("rgb", "bgr"), "rgb or bgr"),
        ("output", _is_text, "the name of one of the network's outputs"),
    )
    rules: Rules = (
        ("recogniser", _is_text, "the path of an ONNX file"),
        ("chip", lambda value: _is_text(value) and value in recognisers(), " or ".join(recognisers())),
        ("name", lambda value: _is_text(value) and re.fullmatch(r"[\w.-]{1,60}", value), "a word"),
        ("detector", lambda value: value in OF_OPEN, " or ".join(OF_OPEN)),
        ("calibration", _is_calibration, "{threshold = ..., steepness = ...}, both positive"),
        *fed,
        ("mask", lambda value: isinstance(value, dict), "a table: [mask]"),
    )
    _require(told, rules, ("recogniser", "chip"), f"{path}: ", "a pack file")
    if "mask" in told:
        chips = known_chips()
        rules = (
            ("network", _is_text, "the path of an ONNX file"),
            ("chip", lambda value: _is_text(value) and value in chips, " or ".join(chips)),
            ("order", _is_order, "what each number means: some of " + ", ".join(each.value for each in Wear)),
            *fed,
        )
        _require(told["mask"], rules, ("network", "chip", "order"), f"{path}: mask: ", "that table")
    return told


def _require(told: dict[str, Any], rules: Rules, needed: tuple[str, ...], where: str, what: str) -> None:
    """Raises PackInvalid, which says `where`, unless `told` keeps to the rules."""
    keys = [key for key, _, _ in rules]
    if strangers := sorted(set(told) - set(keys)):
        raise PackInvalid(f"{where}there is no {', '.join(strangers)}; {what} has {', '.join(keys)}")
    for key, good, wanted in rules:
        if key in told and not good(told[key]):
            raise PackInvalid(f"{where}{key} = {told[key]!r} must be {wanted}")
        if key not in told and key in needed:
            raise PackInvalid(f"{where}{key} is missing: {wanted}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and 0 < value < float("inf")


def _is_mean(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is_number(v) and 0 <= v <= 255 for v in value)


def _is_order(value: Any) -> bool:
    """Two at least, none of them twice."""
    known = {each.value for each in Wear}
    return isinstance(value, list) and len(value) > 1 and len(value) == len(known & set(map(str, value)))


def _is_calibration(value: Any) -> bool:
    wanted = {"threshold", "steepness"}
    return isinstance(value, dict) and set(value) == wanted and all(map(_is_positive, value.values()))
