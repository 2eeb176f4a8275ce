"""Which rows are most like some probes: reads every row, as quickly as memory can be read."""

from collections.abc import Sequence
from itertools import pairwise

import faiss
import numpy as np

from classifier.blocks import Floats, Rows
from classifier.product import product, rows_at_once

FEW = 3  # probes, up to which reading the rows again for each is quicker than multiplying them together
TOGETHER = 16  # probes multiplied at once: bounds the memory of a search, whatever the image shows


def best(arrays: Sequence[Floats], probes: Floats, most: int) -> list[tuple[Rows, Floats]]:
    """For each of (q, d) probes the `most` rows with the largest dot products, or all, in no order.

    Rows are numbered through all of the (n, d) arrays. Among equals at the end any may be left out.
    """
    if len(probes) <= FEW:
        return [_read(arrays, probe, most) for probe in probes]
    found: list[tuple[Rows, Floats]] = []
    for start in range(0, len(probes), TOGETHER):
        found += _multiplied(arrays, probes[start : start + TOGETHER], most)
    return found


def _read(arrays: Sequence[Floats], probe: Floats, most: int) -> tuple[Rows, Floats]:
    # More threads make one probe several times slower; it is a setting of each thread.
    faiss.omp_set_num_threads(1)
    rows, scores, start = [], [], 0
    for array in arrays:
        score, row = faiss.knn(probe[None], array, min(most, len(array)), faiss.METRIC_INNER_PRODUCT)
        rows.append(row[0] + start)
        scores.append(score[0])
        start += len(array)
    return _largest(np.concatenate(rows), np.concatenate(scores), most)


def _multiplied(arrays: Sequence[Floats], probes: Floats, most: int) -> list[tuple[Rows, Floats]]:
    """A row counts only if it beats what is `most`-th best so far: soon that are few."""
    columns = np.ascontiguousarray(probes.T)
    rows = rows_at_once(len(columns))
    buffer = np.empty((rows, len(probes)), np.float32)
    best_ = _Best(len(probes), most)
    start = 0
    for array in arrays:
        for low in range(0, len(array), rows):
            chunk = array[low : low + rows]
            best_.meet(product(chunk, columns, buffer[: len(chunk)]), start + low)
        start += len(array)
    return best_.of_each()


class _Best:
    """The best rows so far of each of q probes, and some that were the best a while ago."""

    def __init__(self, probes: int, most: int) -> None:
        self._most = most
        self._limits = np.full(
            probes, -np.inf, np.float32
        )  # the `most`-th best, when that was last looked at
        self._found: list[tuple[Rows, Rows, Floats]] = []  # rows, whose, scores
        self._count = 0

    def meet(self, scores: Floats, start: int) -> None:
        """Takes the (n, q) scores of more rows."""
        if not self._found and len(scores) > self._most:
            lowest = len(scores) - self._most
            passed = scores >= np.partition(scores, lowest, axis=0)[lowest]
        else:
            passed = scores > self._limits
        if passed.any():  # of one dimension they are found several times as quickly
            rows, whose = np.divmod(np.flatnonzero(passed), len(self._limits))
            self._found.append((rows + start, whose, scores[rows, whose]))
            self._count += len(rows)
            if self._count > 4 * self._most * len(self._limits):
                self._forget()

    def of_each(self) -> list[tuple[Rows, Floats]]:
        """For each probe its best rows, and their scores."""
        if not self._found:
            return [(np.empty(0, np.intp), np.empty(0, np.float32))] * len(self._limits)
        self._forget()
        ((rows, whose, scores),) = self._found
        ends = np.searchsorted(whose, np.arange(len(self._limits) + 1))
        return [(rows[low:high], scores[low:high]) for low, high in pairwise(ends.tolist())]

    def _forget(self) -> None:
        """Keeps the `most` best of each probe."""
        rows, whose, scores = (np.concatenate(each) for each in zip(*self._found, strict=True))
        order = np.lexsort((-scores, whose))
        rows, whose, scores = rows[order], whose[order], scores[order]
        rank = np.arange(len(rows)) - np.searchsorted(whose, whose)
        kept = rank < self._most
        last = rank == self._most - 1
        self._limits[whose[last]] = scores[last]
        self._found = [(rows[kept], whose[kept], scores[kept])]
        self._count = int(kept.sum())


def _largest(rows: Rows, scores: Floats, most: int) -> tuple[Rows, Floats]:
    if len(rows) > most:
        kept = np.argpartition(scores, -most)[-most:]
        rows, scores = rows[kept], scores[kept]
    return rows, scores
