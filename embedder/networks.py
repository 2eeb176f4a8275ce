"""The networks of a pack, loaded."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from embedder.age import Age, to_age
from embedder.attributes import AttributeNetwork
from embedder.centerface import CenterFace
from embedder.detector import Detector, Floats, Pixels
from embedder.gender import Gender, to_gender
from embedder.pack import Attribute, Pack
from embedder.recogniser import Recogniser
from embedder.yunet import YuNet

Out = TypeVar("Out")

DETECTORS: dict[str, Callable[[Path], Detector]] = {"centerface": CenterFace, "yunet": YuNet}


class Reader(NamedTuple, Generic[Out]):
    """A network that looks at chips, and how they are cut for it."""

    template: npt.NDArray[np.float64]  # (5, 2): where the landmarks of a face lie on a chip, in pixels
    chip_size: int  # width and height, in pixels
    look: Callable[[Sequence[Pixels]], list[Out]]  # may run in several threads at once


class Networks(NamedTuple):
    """What a pipeline runs. Without a network for it, an age or a gender cannot be told."""

    detector: Detector
    recogniser: Reader[Floats]
    age: Reader[Age] | None
    gender: Reader[Gender] | None


def load(pack: Pack, files: dict[str, Path]) -> Networks:
    """The networks of `pack`, out of the files that `prepare` answered."""
    kind = pack.detection.kind
    embed = Recogniser(files["recogniser"]).embed
    return Networks(
        DETECTORS[kind](files[kind]),
        Reader(pack.detection.template, pack.chip_size, embed),
        _attribute(files["age"], pack.age, to_age) if pack.age else None,
        _attribute(files["gender"], pack.gender, to_gender) if pack.gender else None,
    )


def _attribute(path: Path, takes: Attribute, read: Callable[[Floats], Out]) -> Reader[Out]:
    return Reader(takes.template, takes.chip_size, AttributeNetwork(path, takes, read).look)
