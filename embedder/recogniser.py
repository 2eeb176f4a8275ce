"""Turns chips into embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embedder.detector import Floats, Pixels
from embedder.session import Session


class Recogniser:
    """May be used from several threads at once."""

    def __init__(self, path: Path) -> None:
        self._session = Session(path)

    def embed(self, chips: Sequence[Pixels]) -> list[Floats]:
        """A (dimension,) vector of norm 1 for each of n chips, (size, size, 3) uint8 RGB."""
        (rows,) = self._session.run(np.stack(chips))
        norms: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
        return list(rows / norms)
