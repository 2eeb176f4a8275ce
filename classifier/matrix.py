"""A gallery as one matrix: what is searched, and how it changes meanwhile."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from classifier import scan
from classifier.blocks import Blocks, Floats, Rows
from classifier.ids import Places
from classifier.ranking import cosines_of, ranked
from classifier.subjects import Subjects
from store.loading import Faces

FETCHED = 32  # rows looked for at least
OF_EACH = 8  # rows looked for, for each subject that is wanted: it may have several of the best
_AGAIN = 4096  # rows looked at again, at most; if more have changed the search begins anew
_ROUNDING = 2.0**-23  # of a product in single precision, for each of the numbers that are summed


class Hit(NamedTuple):
    face_id: UUID
    subject: str
    cosine: float  # in [-1, 1], but for rounding


class Matrix:
    """Faces and their subjects. Changes in place, each at once; other threads may search it meanwhile.

    A search reads every row without a lock, and then settles under it: rows that have changed since it
    began, or have come, are looked at again. So what it answers is the matrix at one moment of the search.
    """

    def __init__(self) -> None:
        self._blocks = Blocks(0)
        self._count = 0
        self._places = Places(self._id_at)
        self._subjects = Subjects()
        self._serial = 0
        self._lock = threading.RLock()
        self._searches: list[_Search] = []

    def __len__(self) -> int:
        return self._count

    @property
    def dimension(self) -> int:
        """Of each embedding; 0 while there has been none."""
        return self._blocks.dimension

    @property
    def nbytes(self) -> int:
        """The memory that it fills."""
        rows = self._count * (4 * self.dimension + 16 + 4 + 8)
        return rows + self._places.nbytes + self._subjects.nbytes

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is changed inside the block, searches see all of or nothing."""
        with self._lock:
            yield

    def expect(self, faces: int) -> None:
        """Makes room in its tables for so many faces that are still to come."""
        with self._lock:
            self._places.expect(self._count + faces)

    def add(self, faces: Faces) -> None:
        """Adds faces behind the others, in the order of their enrolment."""
        if not faces.packed:
            return
        added = np.frombuffer(faces.packed, _record(faces.dimension))
        with self._lock:
            if faces.dimension != self.dimension:
                if self._count:
                    raise ValueError(f"embeddings of {faces.dimension} numbers among {self.dimension}")
                self._blocks = Blocks(faces.dimension)
            numbers = self._numbered(added["subject"].tolist(), faces.names)
            first = self._count
            self._blocks.reserve(first + len(added))
            done = 0
            for block, part in self._blocks.parts(first, first + len(added)):
                some = slice(done, done + part.stop - part.start)
                block.embeddings[part] = added["embedding"][some]
                block.ids[16 * part.start : 16 * part.stop] = added["face"][some].tobytes()
                block.subjects[part] = numbers[some]
                block.serials[part] = np.arange(self._serial + some.start, self._serial + some.stop)
                done = some.stop
            self._places.put_new(added["face"].tolist(), first)
            self._serial += len(added)
            self._count += len(added)

    def erase_face(self, face: UUID) -> None:
        """Leaves nothing of a face, if it is there."""
        with self._lock:
            row = self._places.find(face.bytes)
            if row is not None:
                block, place = self._blocks.at(row)
                number = int(block.subjects[place])
                self._erase(row)
                self._subjects.lose(number, 1)

    def erase_subject(self, subject: UUID) -> None:
        """Leaves nothing of a subject and its faces, if it has any."""
        with self._lock:
            number = self._subjects.find(subject.bytes)
            if number is not None:
                rows = self._rows_of(number)
                for row in reversed(
                    rows
                ):  # the last row takes the place of each, and must not be one of them
                    self._erase(row)
                self._subjects.lose(number, len(rows))

    def rename(self, subject: UUID, name: str) -> None:
        """Calls a subject so, if it has faces."""
        with self._lock:
            number = self._subjects.find(subject.bytes)
            if number is not None:
                self._subjects.rename(number, name)

    def merge(self, subject: UUID, into: UUID, name: str) -> None:
        """Gives the faces of one subject to another, which is called so."""
        with self._lock:
            old = self._subjects.find(subject.bytes)
            if old is None:
                return
            rows = self._rows_of(old)
            new = self._subjects.take(into.bytes, name, len(rows))
            self._subjects.rename(new, name)
            for row in rows:
                block, place = self._blocks.at(row)
                block.subjects[place] = new
            self._subjects.lose(old, len(rows))

    def clear(self) -> None:
        """Leaves nothing."""
        with self._lock:
            self._blocks.wipe(0, self._count)
            self._blocks = Blocks(0)
            self._count = 0
            self._places, self._subjects = Places(self._id_at), Subjects()
            for search in self._searches:
                search.count = 0
                search.changed.clear()

    def search(self, probes: Floats, count: int, *, distinct: bool) -> list[list[Hit]]:
        """For each of (q, d) probes of norm 1 the `count` most similar faces, the best first.

        With `distinct`, the most similar subjects, each by its best face. Exact: similarities are summed in
        double precision, and equal ones come in the order of enrolment.
        """
        answers: list[list[Hit] | None] = [None] * len(probes)
        most = max(FETCHED, OF_EACH * count if distinct else 2 * count)
        while open_ := [number for number, answer in enumerate(answers) if answer is None]:
            for number, hits in zip(open_, self._once(probes[open_], count, most, distinct), strict=True):
                answers[number] = hits
            most *= 4  # one subject may hold all the best places
        return [answer or [] for answer in answers]

    def slices(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int32], Floats]]:
        """The faces, some at a time: ids (n, 16), numbers of subjects (n,), rows (n, d), without a copy.

        Valid until the next change: call it inside `at_once`.
        """
        for block, part in self._blocks.parts(0, self._count):
            ids = np.frombuffer(block.ids, np.uint8).reshape(-1, 16)
            yield ids[part], block.subjects[part], block.embeddings[part]

    @property
    def subjects(self) -> Subjects:
        """Of whom the faces are, by their numbers."""
        return self._subjects

    def _once(self, probes: Floats, count: int, most: int, distinct: bool) -> list[list[Hit] | None]:
        """The hits of each probe; None where more rows have to be fetched to be sure."""
        with self._reading() as (search, arrays):
            found = scan.best(arrays, probes, most) if arrays else []
            with self._lock:
                return self._settle(search, probes, found, count, distinct)

    @contextmanager
    def _reading(self) -> Iterator[tuple["_Search", list[Floats]]]:
        with self._lock:
            search = _Search(self._count)
            self._searches.append(search)
            arrays = [block.embeddings[part] for block, part in self._blocks.parts(0, self._count)]
        try:
            yield search, arrays
        finally:
            with self._lock:
                self._searches.remove(search)

    def _settle(
        self,
        search: "_Search",
        probes: Floats,
        found: Sequence[tuple[Rows, Floats]],
        count: int,
        distinct: bool,
    ) -> list[list[Hit] | None]:
        """What was found, made true of this moment."""
        if self.dimension != probes.shape[1]:  # it was emptied, and has faces of another model now
            return [[] for _ in probes]
        old = min(search.count, self._count)
        changed = np.array(sorted(row for row in search.changed if row < old), np.intp)
        again = np.concatenate([changed, np.arange(search.count, self._count)])
        if len(again) > _AGAIN and search.scanned:
            return [None for _ in probes]
        settled: list[list[Hit] | None] = []
        for probe, (rows, scores) in zip(probes, found or [_NOTHING] * len(probes), strict=True):
            complete = search.count == 0 or len(rows) == search.scanned
            limit = -np.inf if complete else float(scores.min()) + _ROUNDING * self.dimension
            kept = rows[(rows < old) & ~np.isin(rows, changed)]
            settled.append(self._hits(np.concatenate([kept, again]), probe, count, distinct, limit))
        return settled

    def _hits(self, rows: Rows, probe: Floats, count: int, distinct: bool, limit: float) -> list[Hit] | None:
        """The best of some rows; None unless they are more similar than `limit`, which others may be."""
        embeddings, subjects, serials = self._blocks.gather(rows)
        cosines = cosines_of(embeddings, probe)
        order = ranked(cosines, subjects, serials, count, distinct, limit)
        if order is None:
            return None
        return [
            Hit(
                UUID(bytes=self._id_at(int(rows[each]))),
                self._subjects.name_of(int(subjects[each])),
                float(cosines[each]),
            )
            for each in order
        ]

    def _numbered(self, subjects: list[bytes], names: dict[UUID, str]) -> NDArray[np.int32]:
        """The number of each face's subject."""
        called = {subject.bytes: name for subject, name in names.items()}
        numbers = {
            each: self._subjects.take(each, called[each], faces) for each, faces in Counter(subjects).items()
        }
        return np.array([numbers[each] for each in subjects], np.int32)

    def _rows_of(self, number: int) -> list[int]:
        """The rows of a subject's faces, in order."""
        rows: list[int] = []
        start = 0
        for block, part in self._blocks.parts(0, self._count):
            if len(rows) == self._subjects.faces_of(number):
                break
            rows += (np.flatnonzero(block.subjects[part] == number) + start).tolist()
            start += part.stop
        return rows

    def _erase(self, row: int) -> None:
        """Puts the last row in the place of this one."""
        last = self._count - 1
        self._places.remove(self._id_at(row))
        if row != last:
            self._blocks.move(last, row)
            self._places.put(self._id_at(row), row)
        self._blocks.wipe_row(last)
        self._count = last
        for search in self._searches:
            search.changed.update((row, last))
        self._blocks.release(last)

    def _id_at(self, row: int) -> bytes:
        return self._blocks.id_at(row)


@cache
def _record(dimension: int) -> np.dtype[np.void]:
    """A face as Faces packs it."""
    return np.dtype([("face", "V16"), ("subject", "V16"), ("embedding", "<f4", (dimension,))])


class _Search:
    """A search that goes on: what it has begun to read, and what has changed of that since."""

    def __init__(self, count: int) -> None:
        self.scanned = count  # rows when it began
        self.count = count  # of those, the first that are still worth anything
        self.changed: set[int] = set()


_NOTHING = np.empty(0, np.intp), np.empty(0, np.float32)
