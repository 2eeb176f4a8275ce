"""Whether a converted network answers as the published one does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedder.conversion.intake import Intake
from embedder.conversion.recognisers import look
from embedder.pack_errors import PackInvalid
from embedder.session import Session

NEAR = 1e-3  # of an answer's length: what rounding may make of it


def require_agreement(published: Path, converted: Path, intake: Intake) -> None:
    """Asks one for three faces together and the other for each of them. Raises PackInvalid."""
    seen = look(published, intake.size, intake.output, intake.beliefs)
    chips = np.random.default_rng(0).integers(0, 256, (3, intake.size, intake.size, 3), np.uint8)
    given = chips[..., ::-1] if intake.blue_first else chips
    if not seen.takes_bytes:
        mean = intake.mean[::-1] if intake.blue_first else intake.mean
        given = ((given - np.array(mean)) / intake.deviation).astype(np.float32)
    if not seen.channels_last:
        given = given.transpose(0, 3, 1, 2)
    given = np.ascontiguousarray(given)
    expected = _run(published, seen.output, np.split(given, 3), f"run {published.name}")
    lengths = np.linalg.norm(expected, axis=1)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise PackInvalid(f"{published.name} answers no usable numbers")
    if intake.beliefs and ((expected < 0).any() or np.abs(expected.sum(1) - 1).max() > NEAR):
        raise PackInvalid(f"{published.name} answers no beliefs, whose sum is 1: let it end with a softmax")
    together = _run(converted, seen.output, [chips], f"give {published.name} several faces at once")
    if together.shape != expected.shape or np.abs(together - expected).max() > NEAR * lengths.max():
        raise PackInvalid(f"{published.name} answers otherwise when it is given several faces at once")


def _run(
    network: Path, output: str, batches: Sequence[npt.NDArray[Any]], what: str
) -> npt.NDArray[np.float32]:
    try:
        session = Session(network, [output])
        return np.concatenate([session.run(batch)[0] for batch in batches])
    except Exception as error:  # those of ONNX Runtime have no class in common
        raise PackInvalid(f"ONNX Runtime cannot {what}: {str(error).splitlines()[0]}") from None
