"""Galleries that Postgres searches: the same answers, exactly so where every vector is read."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import numpy as np

from classifier.blocks import Floats
from classifier.matrix import FETCHED, OF_EACH, Hit, Matrix
from classifier.ranking import cosines_of, ranked
from serving.faults import Overloaded
from store import surveys
from store.database import Database
from store.nearest import Near, Nearest, searching
from store.revisions import Gallery

EF = 400  # vectors of the index that a search looks at, at least: docs/performance.md says what is found so
AT_ONCE = 4  # searches; the other connections to Postgres are left to other calls
WAITING = 256  # searches that may wait
SOON = 0.5  # seconds: what a refused caller is told to wait
_REMEMBERED = 1000  # galleries
_QUICK = 0.05  # seconds that a count may keep who asks
_REST = 20  # times as long as a slow count took: until faces are counted again
_ROUNDED = 2.0**-11  # of a number, at most, by half precision
_SUMMED = 2.0**-23  # of a product in single precision, for each of the numbers that are summed


class Stored(NamedTuple):
    """A gallery that Postgres searches, as it was found; what it is asked sees that revision, or a later."""

    gallery: Gallery
    searches: "StoredSearches"
    staleness: float = 0.0  # it is always fresh

    @property
    def revision(self) -> int:
        return self.gallery.revision

    @property
    def model(self) -> str | None:
        return self.gallery.model

    @property
    def false_match_rate(self) -> float:
        return self.gallery.false_match_rate

    async def search(
        self, probes: Sequence[Floats], count: int, *, distinct: bool, exact: bool = False, ef: int = EF
    ) -> list[list[Hit]]:
        """As Matrix.search, of one snapshot. Where there is an index some may be missing, unless `exact`.

        Raises Overloaded at once if too many wait, GalleryBehind, StoreUnavailable.
        """
        if not probes or not self.gallery.dimension:
            return [[] for _ in probes]
        exact = exact or not self.gallery.indexed
        async with self.searches.turn(), searching(self.searches.database, self.gallery, ef) as nearest:
            return [await _search(nearest, probe, count, distinct, exact) for probe in probes]

    async def size(self) -> surveys.Size:
        """How many subjects and faces it has, or had a moment ago: counting takes a second for a million."""
        return await self.searches.size(self.gallery)

    async def sample(self, most: int) -> Matrix:
        """So many of its faces, by chance, or all of them."""
        matrix = Matrix()
        faces = await surveys.sample(self.searches.database, self.gallery.id, most)
        if faces:
            await asyncio.to_thread(matrix.add, faces)
        return matrix

    async def hashed(self) -> surveys.Hashed:
        return await surveys.hashed(self.searches.database, self.gallery.id)


class StoredSearches:
    """Those under way, of all galleries; and how large these were when they were counted."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._sizes: dict[UUID, _Size] = {}
        self._counts: dict[UUID, asyncio.Task[_Size]] = {}

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises Overloaded at once if too many wait."""
        if self._waiting >= WAITING:
            raise Overloaded("too many searches wait for Postgres: try again with backoff", retry_after=SOON)
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1

    async def size(self, gallery: Gallery) -> surveys.Size:
        """Waits for a count that is quick, or the first; else the next who asks has it."""
        known = self._sizes.get(gallery.id)
        if known and known.revision == gallery.revision:
            return known.size
        slow = known is not None and known.took > _QUICK
        if known and slow and time.monotonic() < known.at + _REST * known.took:
            return known.size
        counting = self._counts.get(gallery.id)
        if counting is None:
            counting = self._counts[gallery.id] = asyncio.create_task(self._count(gallery))
            counting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return known.size if known and slow else (await asyncio.shield(counting)).size

    async def _count(self, gallery: Gallery) -> "_Size":
        began = time.monotonic()
        try:
            size = await surveys.size(self.database, gallery.id)
        finally:
            del self._counts[gallery.id]
        now = time.monotonic()
        self._sizes.pop(gallery.id, None)
        self._sizes[gallery.id] = _Size(size, gallery.revision, now, now - began)
        if len(self._sizes) > _REMEMBERED:  # the one that was counted the longest ago
            del self._sizes[next(iter(self._sizes))]
        return self._sizes[gallery.id]


class _Size(NamedTuple):
    size: surveys.Size
    revision: int  # or a later one
    at: float  # by time.monotonic()
    took: float  # seconds


async def _search(nearest: Nearest, probe: Floats, count: int, distinct: bool, exact: bool) -> list[Hit]:
    most = max(FETCHED, OF_EACH * count if distinct else 2 * count)
    while True:
        found = await nearest.find(probe.tolist(), most, exact=exact)
        hits = await asyncio.to_thread(_hits, found, probe, count, distinct, most, exact)
        if hits is not None:
            return hits
        exact = exact or len(found) < most  # the index has no more to give
        most *= 4  # one subject may hold all the best places


def _hits(
    found: list[Near], probe: Floats, count: int, distinct: bool, most: int, exact: bool
) -> list[Hit] | None:
    """The best of what was found; None if there may be better ones, or if there have to be more."""
    if not found:
        return [] if exact else None
    rows = np.frombuffer(b"".join(near.embedding for near in found), "<f4").reshape(len(found), -1)
    numbers: dict[UUID, int] = {}
    subjects = np.array([numbers.setdefault(near.subject_id, len(numbers)) for near in found], np.int32)
    enrolled = np.array([near.enrolled for near in found], np.int64)
    limit = -np.inf
    if exact and len(found) == most:
        # Both sides of the product were rounded, and each is of norm 1.
        limit = min(near.nearness for near in found) + 2.1 * _ROUNDED + _SUMMED * len(probe)
    cosines = cosines_of(rows, probe)
    order = ranked(cosines, subjects, enrolled, count, distinct, limit)
    if order is None or (not exact and len(order) < count):
        return None
    return [Hit(found[each].id, found[each].subject, float(cosines[each])) for each in order]
