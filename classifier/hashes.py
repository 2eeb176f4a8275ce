"""The hash of what this replica has in memory, to be compared with other replicas' and with Postgres'."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple
from uuid import UUID

from classifier.galleries import Galleries
from classifier.matrix import Matrix
from classifier.shelf import View
from classifier.stored import Stored
from serving.faults import GalleryBehind
from store.hashing import sum_of
from store.revisions import Place

PATIENCE = 60.0  # seconds that a gallery may go on changing
_TOGETHER = 256  # faces hashed before others may have the interpreter
_BREATH = 0.0002  # seconds that they may
_RESTED = 5.0  # seconds between two looks at what has come to rest
_SHARE = 20  # the rest takes as many times as long as hashing did
_EXACT = 1 << 52  # what a metric tells of a sum: a float64 holds no larger number exactly


class State(NamedTuple):
    """What is searched of a gallery, where, and its hash."""

    revision: int
    faces: int
    nbytes: int
    model: str | None
    total: int
    home: Place
    moving_to: Place | None


class Hashes:
    """Computes each from the rows themselves, so that it tells what is searched, and not what should be."""

    def __init__(self, galleries: Galleries) -> None:
        self._galleries = galleries
        self._known: Mapping[UUID, tuple[int, int]] = {}  # revision and sum
        self._one_at_a_time = asyncio.Lock()

    async def newest(self, gallery_id: UUID) -> State:
        """The state of a gallery with every change that was acknowledged before this call.

        Raises the faults of Galleries.fresh; GalleryBehind also if it changes faster than it can be hashed.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            view = await self._galleries.fresh(gallery_id)
            if isinstance(view, Stored):
                to, of = view.gallery.moving_to, await view.hashed()
                gallery = of.gallery
                return State(gallery.revision, of.faces, of.nbytes, gallery.model, of.total, "database", to)
            if (total := await self._of(gallery_id, view)) is not None:
                rows, to = view.matrix, view.moving_to
                return State(view.revision, len(rows), rows.nbytes, view.model, total, "memory", to)
        raise GalleryBehind("the gallery changes faster than it can be hashed", revision=view.revision)

    async def run(self) -> None:
        """Hashes each gallery once it has come to rest, for the metric, until cancelled."""
        before: Mapping[UUID, View] = {}
        while True:
            began, views = time.monotonic(), self._galleries.held()
            for each, view in views.items():
                rested = each in before and before[each].revision == view.revision
                if not rested or self._known.get(each, (None,))[0] == view.revision:
                    continue
                if (total := await self._of(each, view)) is not None:
                    self._known = {**self._known, each: (view.revision, total)}
            self._known = {each: known for each, known in self._known.items() if each in views}
            before = views
            await asyncio.sleep(max(_RESTED, _SHARE * (time.monotonic() - began)))

    def together(self) -> float:
        """The sum over all galleries held, modulo 2^52; NaN until each has come to rest. In any thread."""
        views, known = self._galleries.held(), self._known
        if any(known.get(each, (None,))[0] != view.revision for each, view in views.items()):
            return math.nan
        return float(sum(known[each][1] for each in views) % _EXACT)

    async def _of(self, gallery_id: UUID, view: View) -> int | None:
        """None if it has changed meanwhile."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                hash_of, view.matrix, lambda: self._galleries.is_still(gallery_id, view)
            )


def hash_of(matrix: Matrix, is_still: Callable[[], bool] = lambda: True) -> int | None:
    """The sum of its faces' numbers; None as soon as it is not still. For a thread of its own.

    It leaves the interpreter, and the lock of the matrix, to others every few faces.
    """
    total = first = 0
    while some := _faces(matrix, first, first + _TOGETHER):
        if not is_still():
            return None
        total = sum_of(some, total)
        first += len(some)
        time.sleep(_BREATH)
    return total if is_still() else None


def _faces(matrix: Matrix, first: int, end: int) -> list[bytes]:
    """Some faces as they are hashed. The one place here that knows how a matrix lies in memory."""
    faces: list[bytes] = []
    with matrix.at_once():
        subjects, start = matrix.subjects, 0
        for ids, numbers, rows in matrix.slices():
            part = slice(max(first - start, 0), max(end - start, 0))
            for face, number, row in zip(ids[part], numbers[part].tolist(), rows[part], strict=True):
                subject = subjects.id_of(number)
                embedding = row.astype("<f4", copy=False).tobytes()
                faces.append(face.tobytes() + subject + embedding + subjects.name_of(number).encode())
            start += len(numbers)
    return faces
