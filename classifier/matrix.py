"""A gallery as one matrix: what a search reads, and how it changes meanwhile."""

from collections.abc import Collection
from copy import copy
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from store.loading import Faces

Floats = NDArray[np.float32]

_TOGETHER = 16  # probes multiplied at once: bounds the memory of a search, whatever the image shows
_LEAST_ROOM = 64  # rows


class Hit(NamedTuple):
    face_id: UUID
    subject: str
    cosine: float  # in [-1, 1], but for rounding


class Matrix:
    """Faces in the order of their enrolment. Never changes once made.

    So a search may go on while the next one takes its place. Matrices share a room: rows that one appends
    lie behind those that the others read. Only one at a time may be made of another.
    """

    def __init__(self, room: "_Room", count: int) -> None:
        self._room = room
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> Floats:
        """(n, dimension) float32, of norm 1."""
        return self._room.embeddings[: self._count]

    @property
    def face_ids(self) -> list[UUID]:
        """Whose row is which, (n,)."""
        return [UUID(bytes=each) for each in self._room.faces[: self._count].tolist()]

    @property
    def nbytes(self) -> int:
        """The memory of its room, without names."""
        room = self._room
        return room.embeddings.nbytes + room.faces.nbytes + room.subjects.nbytes

    def with_faces(self, faces: Faces) -> "Matrix":
        """The matrix with more faces at its end. Costs what they cost, however many there are already."""
        if not faces.packed:
            return self
        record = [("face", "V16"), ("subject", "V16"), ("embedding", "<f4", (faces.dimension,))]
        added = np.frombuffer(faces.packed, record)
        room, end = self._room, self._count + len(added)
        if room.filled != self._count or end > len(room.faces) or not self._count:
            room = room.part(np.arange(self._count), max(2 * end, _LEAST_ROOM), faces.dimension)
        room.append(added, faces.names)
        return Matrix(room, end)

    def without(self, *, faces: Collection[UUID], subjects: Collection[UUID]) -> "Matrix":
        """The matrix without these faces, and without any face of these subjects. Copies it."""
        room, here = self._room, slice(self._count)
        numbers = [room.numbers[each.bytes] for each in subjects if each.bytes in room.numbers]
        # NumPy compares S16, and not V16, quickly; for ids of one length they are the same.
        ids = np.array([each.bytes for each in faces], "V16").view("S16")
        gone = np.isin(room.faces[here].view("S16"), ids) | np.isin(room.subjects[here], numbers)
        if not gone.any():
            return self
        kept = np.flatnonzero(~gone)
        return Matrix(room.part(kept, max(len(kept), _LEAST_ROOM), room.embeddings.shape[1]), len(kept))

    def renamed(self, subject: UUID, name: str) -> "Matrix":
        """The matrix where this subject is called so."""
        return Matrix(self._room.renamed(subject.bytes, name), self._count)

    def merged(self, subject: UUID, into: UUID, name: str) -> "Matrix":
        """The matrix where the faces of one subject are those of another, which is called so."""
        return Matrix(self._room.merged(subject.bytes, into.bytes, name), self._count)

    def search(self, probes: Floats, count: int, *, distinct: bool) -> list[list[Hit]]:
        """For each probe, a row of norm 1, the `count` most similar faces, the best first.

        With `distinct`, the most similar subjects, each by its best face. Exact. Equal similarities come
        in the order of enrolment.
        """
        if not self._count:
            return [[] for _ in probes]
        return [
            self._best(similarities, count, distinct)
            for start in range(0, len(probes), _TOGETHER)
            for similarities in probes[start : start + _TOGETHER] @ self.rows.T
        ]

    def _best(self, similarities: Floats, count: int, distinct: bool) -> list[Hit]:
        wanted = count
        while True:
            best = _largest(similarities, wanted)
            if distinct:
                _, first = np.unique(self._room.subjects[best], return_index=True)
                best = best[np.sort(first)]
            if len(best) >= count or wanted >= self._count:
                return [self._hit(int(index), similarities) for index in best[:count]]
            wanted *= 4  # one subject may hold all the best places

    def _hit(self, index: int, similarities: Floats) -> Hit:
        room = self._room
        face_id = UUID(bytes=room.faces[index].item())
        return Hit(face_id, room.names[room.subjects[index]], float(similarities[index]))


def empty() -> Matrix:
    return Matrix(_Room(0, 0), 0)


class _Room:
    """Where rows lie. Those that are filled never change."""

    def __init__(self, capacity: int, dimension: int) -> None:
        self.embeddings = np.empty((capacity, dimension), np.float32)
        self.faces = np.empty(capacity, "V16")  # ids
        self.subjects = np.empty(capacity, np.int32)  # numbers, indices of `names`
        self.names: list[str] = []
        self.numbers: dict[bytes, int] = {}  # by the subject's id
        self.filled = 0

    def append(self, added: NDArray[np.void], names: dict[UUID, str]) -> None:
        """Fills more rows, with records of face, subject and embedding."""
        for subject_id, name in names.items():
            if self.numbers.setdefault(subject_id.bytes, len(self.names)) == len(self.names):
                self.names.append(name)
        new = slice(self.filled, self.filled + len(added))
        self.embeddings[new] = added["embedding"]
        self.faces[new] = added["face"]
        self.subjects[new] = [self.numbers[each] for each in added["subject"].tolist()]
        self.filled = new.stop

    def part(self, rows: NDArray[np.intp], capacity: int, dimension: int) -> "_Room":
        """A room of its own for some of the rows, and for no other subject than theirs."""
        room = _Room(capacity, dimension)
        if not len(rows):
            return room
        room.filled = len(rows)
        # Straight to its place: with `clip` NumPy needs no copy in between.
        np.take(self.embeddings, rows, axis=0, out=room.embeddings[: room.filled], mode="clip")
        room.faces[: room.filled] = self.faces[rows]
        kept, room.subjects[: room.filled] = np.unique(self.subjects[rows], return_inverse=True)
        ids = {number: subject for subject, number in self.numbers.items()}
        room.names = [self.names[number] for number in kept]
        room.numbers = {ids[number]: place for place, number in enumerate(kept)}
        return room

    def renamed(self, subject: bytes, name: str) -> "_Room":
        """A room of the same rows, with names of its own."""
        room = copy(self)
        if subject in self.numbers:
            room.names = list(self.names)
            room.names[self.numbers[subject]] = name
        return room

    def merged(self, subject: bytes, into: bytes, name: str) -> "_Room":
        """A room of the same rows, some of them of another subject."""
        if subject not in self.numbers:
            return self
        room = self.renamed(subject, "")  # its name is no more
        room.numbers = dict(self.numbers)
        old, new = room.numbers.pop(subject), room.numbers.setdefault(into, len(room.names))
        room.names[new:] = [name, *room.names[new + 1 :]]
        room.subjects = np.where(self.subjects == old, np.int32(new), self.subjects)
        return room


def _largest(values: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the `count` largest values, the largest first, the lower index first among equals."""
    if count < len(values):
        threshold = np.partition(values, -count)[-count]
        candidates = np.flatnonzero(values >= threshold)
    else:
        candidates = np.arange(len(values))
    return candidates[np.argsort(-values[candidates], kind="stable")][:count]
