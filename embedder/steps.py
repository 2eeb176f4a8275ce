"""The steps of an analysis: what does each of them, and how long it took."""

import time
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

from embedder.pack import Network, Pack

P = ParamSpec("P")
R = TypeVar("R")

ORDER = ("detector", "aligner", "recogniser", "age", "gender", "mask", "pose", "quality")
DETECTOR, ALIGNER, RECOGNISER, AGE, GENDER, MASK, POSE, QUALITY = ORDER


class Step(NamedTuple):
    """What was done, and the seconds of work on it."""

    name: str  # one of ORDER
    seconds: float


def versions(pack: Pack) -> dict[str, str]:
    """By the names of the steps that a pack can do, in ORDER, what does them, as mien.v1.Step says."""
    networks = {
        DETECTOR: [pack.networks[name] for name in pack.detection.networks],
        **({ALIGNER: [pack.networks["predictor"]]} if pack.aligning else {}),
        **{step: [pack.networks[step]] for step in (RECOGNISER, AGE, GENDER, MASK) if step in pack.networks},
    }
    named = {step: "+".join(map(_version, each)) for step, each in networks.items()}
    return {
        step: f"{pack.name}/{name}" for step, name in (named | {POSE: "landmarks", QUALITY: "chips"}).items()
    }


def _version(network: Network) -> str:
    return f"{network.name}@{network.member.sha256[:8]}"


def timed(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> tuple[R, float]:
    """What `call` returns, and the seconds it took."""
    began = time.perf_counter()
    result = call(*args, **kwargs)
    return result, time.perf_counter() - began
