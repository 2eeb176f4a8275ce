"""Galleries of people who do not exist, whose embeddings lie as those of people do."""

from collections.abc import Iterator
from uuid import UUID

import numpy as np

from classifier.blocks import Floats
from store.loading import PAGE, Faces

PER_SUBJECT = 5  # faces
SPREAD = 0.35  # length of what two photographs of a person differ by, beside 1: a cosine of 0.89 between them


def people(count: int, dimension: int, seed: int = 0) -> Iterator[Floats]:
    """(n, dimension) rows of norm 1, PAGE and fewer at a time: PER_SUBJECT of each person, in turn."""
    lot = np.random.default_rng(seed)
    for start in range(0, count, PAGE):
        rows = min(PAGE, count - start)
        first = start // PER_SUBJECT
        owners = np.arange(start, start + rows) // PER_SUBJECT - first
        # A person is drawn by number, so that one whose faces lie on two pages is the same on both.
        centres = np.stack([_direction(seed, first + each, dimension) for each in range(owners[-1] + 1)])
        noise = lot.standard_normal((rows, dimension), np.float32) * (SPREAD / dimension**0.5)
        yield _unit(centres[owners] + noise)


def faces(count: int, dimension: int, seed: int = 0) -> Iterator[Faces]:
    """The same as the store hands them over. Ids are numbers."""
    start = 0
    for rows in people(count, dimension, seed):
        packed, names = [], {}
        for number, row in enumerate(rows, start):
            subject = UUID(int=1 + number // PER_SUBJECT)
            names[subject] = f"Person number {subject.int}"
            packed.append(UUID(int=(1 << 64) + number).bytes + subject.bytes + row.tobytes())
        start += len(rows)
        yield Faces(b"".join(packed), dimension, names)


def probes(count: int, dimension: int, seed: int = 0, noise: float = SPREAD) -> Floats:
    """(count, dimension): another photograph of the first people."""
    lot = np.random.default_rng(seed + 1)
    centres = np.stack([_direction(seed, number, dimension) for number in range(count)])
    return _unit(centres + lot.standard_normal(centres.shape, np.float32) * (noise / dimension**0.5))


def _direction(seed: int, number: int, dimension: int) -> Floats:
    return _unit(np.random.default_rng([seed, number]).standard_normal((1, dimension), np.float32))[0]


def _unit(rows: Floats) -> Floats:
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit
