"""The networks of a pack, loaded."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from embedder.age import Age, to_age, to_one_age
from embedder.aligner import Aligner
from embedder.attributes import AttributeNetwork
from embedder.centerface import CenterFace
from embedder.chips import By
from embedder.detector import Detector, Floats, Pixels
from embedder.device import CPU, Device
from embedder.gender import Gender, to_gender, to_likelier
from embedder.mask import Mask, reading
from embedder.pack import Attribute, Pack
from embedder.precision import choose
from embedder.recogniser import Recogniser
from embedder.refining import Refined
from embedder.scrfd import SCRFD
from embedder.settings import FLOAT32
from embedder.yunet import YuNet

Out = TypeVar("Out")

# By the names of the networks that they are made of.
DETECTORS: dict[str, Callable[..., Detector]] = {
    "centerface": CenterFace,
    "scrfd": SCRFD,
    "yunet": YuNet,
    "yunet+centerface": Refined,
}

# How what a network answers of one face is read, by `Attribute.answers`.
AGES: dict[str, Callable[[Floats], Age]] = {"beliefs": to_age, "genderage": to_one_age}
GENDERS: dict[str, Callable[[Floats], Gender]] = {"beliefs": to_gender, "genderage": to_likelier}


class Reader(NamedTuple, Generic[Out]):
    """A network that looks at chips, and how they are cut for it."""

    template: npt.NDArray[np.float64]  # (points, 2): where points of a face lie on a chip, in pixels
    chip_size: int  # width and height, in pixels
    look: Callable[[Sequence[Pixels]], list[Out]]  # may run in several threads at once
    batches: Sequence[int]  # the sizes that batches of chips come in: `Device.batches`
    by: By = By.LANDMARKS  # which points


class Networks(NamedTuple):
    """What a pipeline runs. Without a network for it, an age, a gender or a mask cannot be told."""

    detector: Detector
    aligner: Aligner | None  # if faces are cut by the points it places
    recogniser: Reader[Floats]
    age: Reader[Age] | None
    gender: Reader[Gender] | None
    mask: Reader[Mask] | None


def load(pack: Pack, files: dict[str, Path], precision: str = FLOAT32, device: Device = CPU) -> Networks:
    """The networks of `pack`, out of the files that `prepare` answered for this device.

    Raises DeviceUnusable and PrecisionUnusable.
    """
    detection = pack.detection
    session = choose(files, precision, pack.chip_size, device)
    embed = Recogniser(session, flip=pack.flip).embed
    return Networks(
        DETECTORS[detection.kind](*(files[name] for name in detection.networks), device=device),
        Aligner(files["predictor"], pack.aligning) if pack.aligning else None,
        Reader(pack.detection.template, pack.chip_size, embed, device.batches, pack.detection.by),
        _attribute(files["age"], pack.age, AGES[pack.age.answers], device) if pack.age else None,
        _attribute(files["gender"], pack.gender, GENDERS[pack.gender.answers], device)
        if pack.gender
        else None,
        _attribute(files["mask"], pack.mask, reading(pack.mask.order), device) if pack.mask else None,
    )


def _attribute(path: Path, takes: Attribute, read: Callable[[Floats], Out], device: Device) -> Reader[Out]:
    look = AttributeNetwork(path, takes, read, device).look
    return Reader(takes.template, takes.chip_size, look, device.batches, takes.by)
