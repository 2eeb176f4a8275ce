"""The galleries this replica holds in memory, each as fresh as Postgres when it is asked for.

Some are searched by Postgres instead, and this says which.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from classifier.changes import after
from classifier.loads import Progress
from classifier.matrix import Matrix
from classifier.shelf import Full, Shelf, View, is_crowded
from classifier.stored import Stored, StoredSearches
from serving.faults import (
    ApiKeyUnknown,
    Fault,
    GalleryBehind,
    GalleryTooLarge,
    Overloaded,
    RevisionUnknown,
    StoreUnavailable,
)
from store.database import Database
from store.loading import Faces, load
from store.patience import soon
from store.revisions import Gallery, changes_since, newest, revisions_of
from store.services import POLICY

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds a read waits for this replica to catch up
LOADS = 2  # galleries loaded at once: each takes a connection, of which others have need
_FULL = 0.2  # seconds until room is asked for again that other loads have taken


class Freshness(NamedTuple):
    """How fresh a gallery has to be."""

    min_revision: int = 0
    max_staleness: float = 0.0  # seconds it may be behind while Postgres is away


NEWEST = Freshness()


class Moved(Exception):
    """Postgres searches the gallery now."""


class Galleries:
    """Loads a gallery on its first use and keeps it in step with the change log.

    `budget` is the memory that galleries may take, in bytes; `max_staleness` what readers may be allowed, in
    seconds. `lagged` is told of changes how long they took to be seen, in seconds; `outgrown` of galleries
    that take nearly all the memory, and answers whether they will move into Postgres.
    """

    def __init__(
        self,
        database: Database,
        budget: int,
        max_staleness: float = 0.0,
        lagged: Callable[[float], object] = lambda seconds: None,
        outgrown: Callable[[UUID], bool] = lambda gallery_id: False,
    ) -> None:
        self._database = database
        self._budget = budget
        self._shelf = Shelf(budget)
        self._searches = StoredSearches(database)
        self._max_staleness = max_staleness
        self._lagged = lagged
        self._outgrown = outgrown
        self._updates: dict[UUID, asyncio.Task[None]] = {}
        self._policies: dict[UUID, float] = {}  # as last read: for when Postgres is away
        self._again: set[UUID] = set()  # changed while their update went on
        self._changing: set[UUID] = set()  # those whose matrix is written to now
        self._loads = asyncio.Semaphore(LOADS)
        self._polled = time.monotonic()

    def held(self) -> Mapping[UUID, View]:
        """Those in memory now. May be called in any thread."""
        return self._shelf.views()

    def is_still(self, gallery_id: UUID, view: View) -> bool:
        """Whether the matrix of a view is yet as its revision says. May be called in any thread."""
        held = self._shelf.get(gallery_id)
        still = held is not None and held.matrix is view.matrix and held.revision == view.revision
        return still and gallery_id not in self._changing

    def is_past(self, gallery_id: UUID, revision: int) -> bool:
        """Whether nothing is in memory that this revision of a gallery does not have."""
        view = self._shelf.get(gallery_id)
        if view is None:  # what is being loaded may be older
            return gallery_id not in self._updates
        return view.revision >= revision and gallery_id not in self._changing

    def behind(self) -> float:
        """Seconds since all that are held were last known to be as in Postgres. In any thread."""
        levels = [self._shelf.level(each) for each in self.held()]
        return time.monotonic() - min([self._polled, *(level for level in levels if level)])

    async def fresh(self, gallery_id: UUID, wanted: Freshness = NEWEST) -> View | Stored:
        """The gallery with every change that was acknowledged before this call.

        While Postgres is away, as it is here, if that is no staler than wanted and allowed. Raises
        StoreUnavailable, RevisionUnknown, GalleryTooLarge, and GalleryBehind if it takes too long.
        """
        while True:
            with suppress(Moved):
                return await self._fresh(gallery_id, wanted)

    async def _fresh(self, gallery_id: UUID, wanted: Freshness) -> View | Stored:
        asked = time.monotonic()
        allowed = min(wanted.max_staleness, self._max_staleness)
        try:
            head = await soon(newest(self._database, gallery_id), hurry=allowed > 0)
            if wanted.min_revision > head.revision:
                raise RevisionUnknown(
                    f"the gallery's newest revision is {head.revision}", revision=head.revision
                )
            if self._is_elsewhere(head):
                return Stored(head, self._searches)
            view = await self._reached(gallery_id, head.revision)
        except GalleryTooLarge:
            if head.home == "both":  # it has been dropped, so Postgres searches it for this replica
                return Stored(head, self._searches)
            if not self._outgrown(gallery_id):
                raise
            raise GalleryBehind(
                "the gallery has outgrown this replica's memory and moves into Postgres; try again",
                revision=head.revision,
            ) from None
        except (StoreUnavailable, Overloaded):
            if stale := self._stale(gallery_id, wanted.min_revision, allowed):
                return stale
            raise
        self._shelf.found_level(gallery_id, asked)
        self._shelf.read(gallery_id)
        self._policies[gallery_id] = head.false_match_rate
        return view._replace(false_match_rate=head.false_match_rate, moving_to=head.moving_to)

    async def catch_up(self, gallery_id: UUID | None) -> None:
        """Begins to apply what has changed in one gallery if it is held, or with None in all that are.

        It does not wait for that: one that takes long must not keep the others.
        """
        if gallery_id is not None:
            return self._wake(gallery_id)
        asked, views = time.monotonic(), self.held()
        revisions = await revisions_of(self._database, list(views)) if views else {}
        for each, view in views.items():
            if revisions.get(each) == view.revision:
                self._shelf.found_level(each, asked)
            else:
                self._wake(each)
        self._polled = asked
        return None

    def _is_elsewhere(self, head: Gallery) -> bool:
        """Whether Postgres searches a gallery; if it is coming back from there, it begins to be loaded."""
        if head.home == "database":
            self._shelf.drop(head.id)
        elif head.home != "both" or self._shelf.get(head.id):
            return False
        elif head.wanted_home == "memory":
            self._update(head.id)
        return True

    def _stale(self, gallery_id: UUID, min_revision: int, allowed: float) -> View | None:
        view, level = self._shelf.get(gallery_id), self._shelf.level(gallery_id)
        if view is None or level is None or view.revision < min_revision:
            return None
        staleness = time.monotonic() - level
        policy = self._policies.get(gallery_id, POLICY)
        fit = staleness <= allowed
        return view._replace(staleness=staleness, false_match_rate=policy) if fit else None

    async def _reached(self, gallery_id: UUID, revision: int) -> View:
        """The gallery at this revision or a later one. Raises GalleryBehind."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (view := self._shelf.get(gallery_id)) is None or view.revision < revision:
                    # It goes on if who waits gives up, or it would never end if it takes longer than that.
                    await asyncio.shield(self._update(gallery_id))
        except TimeoutError:
            raise GalleryBehind(
                "this replica is catching up with the gallery; try again", revision=revision
            ) from None
        return view

    def _wake(self, gallery_id: UUID) -> None:
        if gallery_id in self._updates:
            self._again.add(gallery_id)  # that one may have read the log already
        elif self._shelf.get(gallery_id):
            self._update(gallery_id)

    def _update(self, gallery_id: UUID) -> asyncio.Task[None]:
        """One update of a gallery at a time, for all who wait: no two threads may fill one matrix."""
        update = self._updates.get(gallery_id)
        if update is None or update.done():
            update = self._updates[gallery_id] = asyncio.create_task(self._brought_up(gallery_id))
            update.add_done_callback(lambda ended: self._ended(gallery_id, ended))
        return update

    def _ended(self, gallery_id: UUID, update: asyncio.Task[None]) -> None:
        if self._updates.get(gallery_id) is update:
            del self._updates[gallery_id]
        again = gallery_id in self._again
        self._again.discard(gallery_id)
        fault = None if update.cancelled() else update.exception()
        if isinstance(fault, ApiKeyUnknown | GalleryTooLarge | Moved):
            self._shelf.drop(gallery_id)  # its service is gone, or there is no room, or no need
        if isinstance(fault, GalleryTooLarge):
            self._outgrown(gallery_id)
        elif fault and not isinstance(fault, Fault | Moved):
            log.error("gallery %s cannot be brought up to date", gallery_id, exc_info=fault)
        elif again and not fault:  # after a fault polling comes back to it
            self._wake(gallery_id)

    async def _brought_up(self, gallery_id: UUID) -> None:
        view = self._shelf.get(gallery_id)
        while not (view and await self._applied(gallery_id, view)):
            async with self._loads:
                asked = time.monotonic()
                with suppress(Full):
                    self._shelf.put(gallery_id, await self._loaded(gallery_id))
                    self._shelf.found_level(gallery_id, asked)
                    return
            await asyncio.sleep(_FULL)

    async def _applied(self, gallery_id: UUID, view: View) -> bool:
        """Whether the log reached from this view to the newest revision, and all of it is applied."""
        asked = time.monotonic()
        try:
            news = await changes_since(self._database, gallery_id, view.revision)
        except ApiKeyUnknown:  # its service has been erased, and what it had with it
            await asyncio.to_thread(view.matrix.clear)
            raise
        if news.gallery.home == "database":
            raise Moved
        if news.trimmed:
            return False
        self._changing.add(gallery_id)
        try:
            view = await asyncio.to_thread(after, view, news)
            self._shelf.require(len(view.matrix), news.gallery.dimension or 0)
        except BaseException:  # nobody knows how much of it was done
            self._shelf.drop(gallery_id)
            raise
        finally:
            self._changing.discard(gallery_id)
        self._shelf.put(gallery_id, view)
        self._shelf.found_level(gallery_id, asked)
        self._look_at(gallery_id, len(view.matrix), news.gallery)
        if news.changes:
            self._lagged(news.waited + time.monotonic() - asked)
        return True

    def _look_at(self, gallery_id: UUID, faces: int, gallery: Gallery) -> None:
        if is_crowded(faces, gallery.dimension or 0, self._budget):
            self._outgrown(gallery_id)

    async def _loaded(self, gallery_id: UUID) -> View:
        matrix, progress = Matrix(), Progress(gallery_id)

        async def take(faces: Faces) -> None:
            await asyncio.to_thread(matrix.add, faces)
            progress.reached(len(matrix))

        def expect(faces: int, dimension: int) -> None:
            progress.expect(faces)
            matrix.expect(faces)
            self._shelf.expect(gallery_id, faces, dimension)

        try:
            gallery = await load(self._database, gallery_id, take, expect=expect)
        except BaseException:
            self._shelf.expect_no_more(gallery_id)
            raise
        progress.done()
        if gallery.home == "database":
            self._shelf.expect_no_more(gallery_id)
            raise Moved
        self._look_at(gallery_id, len(matrix), gallery)
        return View(matrix, gallery.revision, gallery.model)
