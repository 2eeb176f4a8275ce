"""Rows in blocks that never move: to grow costs no copy, however many rows there are."""

import mmap
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

FIRST = 1024  # rows of the first block; each one doubles what there is
LARGEST = 65536  # rows of a block

_HUGE = 4 << 20  # bytes of a block, from which it has some huge pages of its own
_NO_ID = bytes(16)


class Block:
    """Some rows. Memory that no row has filled yet is the operating system's."""

    def __init__(self, capacity: int, dimension: int) -> None:
        self.embeddings = _zeros(capacity, dimension)
        self.ids = bytearray(16 * capacity)  # of faces
        self.subjects = np.zeros(capacity, np.int32)  # numbers of a Subjects
        self.serials = np.zeros(capacity, np.int64)  # grow with each face that is added


class Blocks:
    """Rows 0 to `capacity`; it does not know which of them are filled."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.capacity = 0
        self._blocks: list[Block] = []
        self._starts: list[int] = []

    def reserve(self, rows: int) -> None:
        """Makes room for so many rows in all."""
        while self.capacity < rows:
            size = min(max(self.capacity, FIRST), LARGEST)
            self._blocks.append(Block(size, self.dimension))
            self._starts.append(self.capacity)
            self.capacity += size

    def release(self, rows: int) -> None:
        """Gives back blocks that would still be empty if there were twice so many rows."""
        while self._starts and self._starts[-1] >= 2 * rows:
            self.capacity = self._starts.pop()
            self._blocks.pop()

    def at(self, row: int) -> tuple[Block, int]:
        """The block of a row, and where it is in there."""
        number = bisect_right(self._starts, row) - 1
        return self._blocks[number], row - self._starts[number]

    def id_at(self, row: int) -> bytes:
        block, place = self.at(row)
        return bytes(block.ids[16 * place : 16 * place + 16])

    def parts(self, start: int, stop: int) -> Iterator[tuple[Block, slice]]:
        """Each block that has some of these rows, and which of its own they are; in order."""
        for block, first in zip(list(self._blocks), list(self._starts), strict=True):
            low, high = max(start - first, 0), min(stop - first, len(block.subjects))
            if low < high:
                yield block, slice(low, high)

    def move(self, source: int, target: int) -> None:
        """Copies one row over another."""
        (one, here), (other, there) = self.at(source), self.at(target)
        other.embeddings[there] = one.embeddings[here]
        other.ids[16 * there : 16 * there + 16] = one.ids[16 * here : 16 * here + 16]
        other.subjects[there] = one.subjects[here]
        other.serials[there] = one.serials[here]

    def wipe_row(self, row: int) -> None:
        """Leaves nothing of one row in memory."""
        block, place = self.at(row)
        block.embeddings[place] = 0
        block.ids[16 * place : 16 * place + 16] = _NO_ID
        block.subjects[place] = block.serials[place] = 0

    def wipe(self, start: int, stop: int) -> None:
        """Leaves nothing of these rows in memory."""
        for block, part in self.parts(start, stop):
            block.embeddings[part] = 0
            block.ids[16 * part.start : 16 * part.stop] = bytes(16 * (part.stop - part.start))
            block.subjects[part] = 0
            block.serials[part] = 0

    def gather(self, rows: Rows) -> tuple[Floats, NDArray[np.int32], NDArray[np.int64]]:
        """Of any rows the embeddings, the subjects' numbers and the serials."""
        embeddings = np.empty((len(rows), self.dimension), np.float32)
        subjects, serials = np.empty(len(rows), np.int32), np.empty(len(rows), np.int64)
        numbers = np.searchsorted(self._starts, rows, "right") - 1
        for number in np.unique(numbers):
            (where,) = np.nonzero(numbers == number)
            places, block = rows[where] - self._starts[number], self._blocks[number]
            embeddings[where] = block.embeddings[places]
            subjects[where] = block.subjects[places]
            serials[where] = block.serials[places]
        return embeddings, subjects, serials


def _zeros(rows: int, columns: int) -> Floats:
    """In huge pages where the system has them: reading through small ones takes a tenth longer."""
    size = 4 * rows * columns
    if size < _HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros((rows, columns), np.float32)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.float32).reshape(rows, columns)
