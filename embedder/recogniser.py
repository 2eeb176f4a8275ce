"""Turns chips into embeddings."""

from collections.abc import Sequence

import numpy as np

from embedder.detector import Floats, Pixels
from embedder.session import Session


class Recogniser:
    """May be used from several threads at once."""

    def __init__(self, session: Session, *, flip: bool = False) -> None:
        self._session = session
        self._flip = flip

    def embed(self, chips: Sequence[Pixels]) -> list[Floats]:
        """A (dimension,) vector of norm 1 for each of n chips, (size, size, 3) uint8 RGB.

        With `flip` it is the middle between that of the chip and that of its mirror image.
        """
        images = np.stack(chips)
        rows = self._look(images)
        if self._flip:
            rows = unit(rows + self._look(np.ascontiguousarray(images[:, :, ::-1])))
        return list(rows)

    def _look(self, images: Pixels) -> Floats:
        (rows,) = self._session.run(images)
        return unit(rows)


def unit(rows: Floats) -> Floats:
    """Each of (n, dimension) vectors, brought to norm 1."""
    norms: Floats = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / norms
