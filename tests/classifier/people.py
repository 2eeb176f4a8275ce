"""Galleries in memory of made people, whose embeddings lie close together as those of faces do."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from classifier.blocks import Floats
from classifier.matrix import Matrix
from store.loading import Faces

DIMENSION = 32


def rows(count: int, seed: int = 0, near: Floats | None = None, spread: float = 0.5) -> Floats:
    """(count, DIMENSION), norm 1: around one direction, or each around one of `near`."""
    noise = np.random.default_rng(seed).standard_normal((count, DIMENSION)) * spread / DIMENSION**0.5
    centre = np.eye(DIMENSION)[0] if near is None else near
    unit: Floats = (noise + centre) / np.linalg.norm(noise + centre, axis=1, keepdims=True)
    return unit.astype(np.float32)


def filled(embeddings: Floats, names: NDArray[np.intp] | range, matrix: Matrix | None = None) -> Matrix:
    """A matrix with these faces, of subjects that are called by numbers."""
    matrix = matrix or Matrix()
    start = len(matrix)
    packed = b"".join(
        UUID(int=(1 << 64) + start + place).bytes + UUID(int=int(name) + 1).bytes + row.tobytes()
        for place, (name, row) in enumerate(zip(names, embeddings, strict=True))
    )
    matrix.add(Faces(packed, DIMENSION, {UUID(int=int(name) + 1): str(name) for name in names}))
    return matrix
