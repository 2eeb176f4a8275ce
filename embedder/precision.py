"""Chooses in which numbers a recogniser computes: float32, or smaller ones where that is quicker."""

import logging
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from embedder.detector import Pixels
from embedder.device import CPU, Device
from embedder.pack_errors import PrecisionUnusable
from embedder.preparation import IN_FLOAT16, IN_INT8
from embedder.recogniser import unit
from embedder.session import Session
from embedder.settings import AUTO, FLOAT16, FLOAT32, INT8

log = logging.getLogger(__name__)

NEAR = 0.999  # cosine: rounding may move no embedding further
GAIN = 1.2  # the smaller form has to be so many times as quick to be worth it
ROUNDS = 5  # of both in turns, of which the quickest counts: other work comes and goes
PATCHES = 8  # of colour, along a side of a chip


class Comparison(NamedTuple):
    """What the smaller form is like beside float32, on this machine."""

    float32: float  # chips a second, of one thread
    small: float
    cosine: float  # of the two embeddings of a chip, where they differ most


def choose(files: dict[str, Path], wanted: str, chip_size: int, device: Device = CPU) -> Session:
    """The network to run, of the forms of one recogniser among the files that `prepare` answered.

    Raises PrecisionUnusable if another than float32 is wanted and would not do.
    """
    exact = Session(files["recogniser"], device=device)
    name, key = (INT8, IN_INT8) if device == CPU else (FLOAT16, IN_FLOAT16)
    if wanted not in (AUTO, FLOAT32, name):
        raise PrecisionUnusable(_refusal(wanted, f"it is not for {'a CPU' if device == CPU else 'GPUs'}"))
    if wanted == FLOAT32 or key not in files:
        if wanted == name:
            raise PrecisionUnusable(_refusal(wanted, "the model pack has no such form"))
        return exact
    small = Session(files[key], device=device)
    found = compare(exact, small, _patchwork(device.batches[-1] // 2, chip_size))
    agree = found.cosine >= NEAR
    if wanted == name and not agree:
        far = f"on this machine it moves embeddings too far, to a cosine of {found.cosine:.4f}"
        raise PrecisionUnusable(_refusal(wanted, far))
    taken = agree and (wanted == name or found.small >= GAIN * found.float32)
    log.info(
        "the recogniser computes in %s on %s: a thread does %.0f faces a second in float32, %.0f in %s,"
        " and they agree by a cosine of %.5f",
        name if taken else FLOAT32,
        device,
        found.float32,
        found.small,
        name,
        found.cosine,
    )
    return small if taken else exact


def compare(exact: Session, small: Session, chips: Pixels) -> Comparison:
    """Runs both in turns, on (n, size, size, 3) chips."""
    cosines = np.sum(unit(exact.run(chips)[0]) * unit(small.run(chips)[0]), axis=1)
    turns = [(_seconds(exact, chips), _seconds(small, chips)) for _ in range(ROUNDS)]
    float32, other = (len(chips) / min(each) for each in zip(*turns, strict=True))
    return Comparison(float32, other, float(cosines.min()))


def _refusal(wanted: str, why: str) -> str:
    return f"EMBEDDER_PRECISION={wanted} cannot be: {why}; leave it away"


def _patchwork(count: int, size: int) -> Pixels:
    """(count, size, size, 3): soft patches of colour, for there is no photograph in every installation."""
    colours = np.random.default_rng(0).integers(0, 256, (count, PATCHES, PATCHES, 3), np.uint8)
    return np.stack([cv2.resize(each, (size, size), interpolation=cv2.INTER_CUBIC) for each in colours])


def _seconds(session: Session, chips: Pixels) -> float:
    began = time.perf_counter()
    session.run(chips)
    return time.perf_counter() - began
