"""Chooses in which numbers a recogniser computes: float32, or int8 where this machine is quicker with it."""

import logging
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from embedder.detector import Pixels
from embedder.pack_errors import PrecisionUnusable
from embedder.recogniser import unit
from embedder.session import Session
from embedder.settings import FLOAT32, INT8

log = logging.getLogger(__name__)

NEAR = 0.999  # cosine: int8 may move no embedding further
GAIN = 1.2  # int8 has to be so many times as quick to be worth its rounding
CHIPS = 8  # to a batch
ROUNDS = 5  # of both in turns, of which the quickest counts: other work comes and goes
PATCHES = 8  # of colour, along a side of a chip


class Comparison(NamedTuple):
    """What int8 is like beside float32, on this machine."""

    float32: float  # chips a second, on one core
    int8: float
    cosine: float  # of the two embeddings of a chip, where they differ most


def choose(float32: Path, int8: Path | None, wanted: str, chip_size: int) -> Session:
    """The network to run, of the two forms of one recogniser.

    Raises PrecisionUnusable if int8 is wanted and would not do.
    """
    exact = Session(float32)
    if wanted == FLOAT32:
        return exact
    if int8 is None or not exact.on_cpu:
        if wanted == INT8:
            lacks = "the model pack has no such form" if int8 is None else "a GPU has no use for it"
            raise PrecisionUnusable(f"EMBEDDER_PRECISION={INT8} cannot be: {lacks}; leave it away")
        return exact
    rounded = Session(int8)
    found = compare(exact, rounded, chip_size)
    agree = found.cosine >= NEAR
    if wanted == INT8 and not agree:
        raise PrecisionUnusable(
            f"EMBEDDER_PRECISION={INT8} cannot be: on this machine it moves embeddings too far, to a cosine"
            f" of {found.cosine:.4f}; leave it away"
        )
    chosen = INT8 if agree and (wanted == INT8 or found.int8 >= GAIN * found.float32) else FLOAT32
    log.info(
        "the recogniser computes in %s: float32 %.0f faces a second on a core, int8 %.0f, cosine %.5f",
        chosen,
        found.float32,
        found.int8,
        found.cosine,
    )
    return rounded if chosen == INT8 else exact


def compare(exact: Session, rounded: Session, chip_size: int) -> Comparison:
    """Runs both in turns."""
    chips = _patchwork(chip_size)
    cosines = np.sum(unit(exact.run(chips)[0]) * unit(rounded.run(chips)[0]), axis=1)
    turns = [(_seconds(exact, chips), _seconds(rounded, chips)) for _ in range(ROUNDS)]
    float32, int8 = (CHIPS / min(each) for each in zip(*turns, strict=True))
    return Comparison(float32, int8, float(cosines.min()))


def _patchwork(size: int) -> Pixels:
    """(CHIPS, size, size, 3): soft patches of colour, for there is no photograph in every installation."""
    colours = np.random.default_rng(0).integers(0, 256, (CHIPS, PATCHES, PATCHES, 3), np.uint8)
    return np.stack([cv2.resize(each, (size, size), interpolation=cv2.INTER_CUBIC) for each in colours])


def _seconds(session: Session, chips: Pixels) -> float:
    began = time.perf_counter()
    session.run(chips)
    return time.perf_counter() - began
