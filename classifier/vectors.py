"""Embeddings that callers send, as they are compared."""

import math
from collections.abc import Sequence

import numpy as np

from classifier.faces import Floats
from serving.faults import ArgumentInvalid

MOST = 1000  # in one call


def unit_row(field: str, vector: Floats, dimension: int) -> Floats:
    """(d,) float32 of norm 1, of one float32 vector. Raises ArgumentInvalid, about `field`."""
    if len(vector) != dimension:
        raise ArgumentInvalid(f"{field} has {dimension} values", field=field)
    wide = vector.astype(np.float64)  # where the squares of no finite float32 overflow or vanish
    norm = math.sqrt(wide @ wide)
    if not 0 < norm < math.inf:  # NaN is neither
        raise ArgumentInvalid(f"{field} has finite values, not all of them zero", field=field)
    unit: Floats = (wide / norm).astype(np.float32)
    return unit


def unit_rows(field: str, vectors: Sequence[Sequence[float]], dimension: int | None) -> Floats:
    """(n, d) float32, rows of norm 1. Raises ArgumentInvalid, about `field`.

    Each must have `dimension` values, or with None as many as the first.
    """
    if not 1 <= len(vectors) <= MOST:
        raise ArgumentInvalid(f"{field} has 1 to {MOST} embeddings", field=field)
    length = len(vectors[0]) if dimension is None else dimension
    if any(len(vector) != length for vector in vectors):
        raise ArgumentInvalid(f"{field}: an embedding has {length} values", field=field)
    rows = np.array(vectors, np.float64)
    # Scaled first, so that the squares of no finite values overflow.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    if not np.isfinite(rows).all() or not (largest > 0).all():
        raise ArgumentInvalid(f"{field}: an embedding has finite values, not all of them zero", field=field)
    scaled = rows / largest
    unit: Floats = (scaled / np.linalg.norm(scaled, axis=1, keepdims=True)).astype(np.float32)
    return unit
