"""Moves galleries between memory and Postgres while they are searched and written to."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from uuid import UUID

import psycopg

from classifier.shelf import CROWDED, is_crowded, size_of, too_large
from serving.faults import ApiKeyUnknown, Fault, PgvectorMissing
from store import homes, vectors
from store.database import Connection, Database
from store.homes import Placed
from store.pgvector import require_pgvector
from store.revisions import Place, newest_in

log = logging.getLogger(__name__)

SCANNED = 10_000  # faces: so few are all read, some milliseconds, and there is no index to keep
AT_ONCE = 2  # galleries
POLL = 5.0  # seconds


class Mover:
    """One of several: who has the lock of a gallery moves it, and who finds it half-way goes on."""

    def __init__(self, database: Database, budget: int) -> None:
        self._database = database
        self._budget = budget  # bytes that galleries may take here
        self._outgrown: set[UUID] = set()
        self._possible = True
        self._called = asyncio.Event()
        self._going: dict[UUID, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._orphans: set[UUID] = set()
        self._said: dict[UUID | None, str] = {}

    def outgrown(self, gallery_id: UUID) -> bool:
        """Moves a gallery into Postgres that is too large for this replica. False: it cannot be moved."""
        self._outgrown.add(gallery_id)
        self._called.set()
        return self._possible

    async def move(self, gallery_id: UUID, place: Place) -> Placed:
        """Says where a gallery shall be, and returns where it is.

        Raises PgvectorMissing, GalleryTooLarge, ApiKeyUnknown, StoreUnavailable.
        """
        async with self._database.statement() as connection:
            if place == "database":
                await require_pgvector(connection)
            placed = await homes.placed(connection, gallery_id)
            if place == "memory" and is_crowded(placed.faces, placed.dimension or 0, self._budget):
                need = size_of(placed.faces, placed.dimension or 0)
                raise too_large(need, int(CROWDED * self._budget))
            await homes.want(connection, gallery_id, place)
        self._called.set()
        return placed._replace(wanted_home=place)

    async def run(self) -> None:
        """Sees to it that galleries are where they are to be, until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                except (Fault, psycopg.Error) as error:
                    self._say(None, f"galleries that move have to wait: {error}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._called.wait(), POLL)
                self._called.clear()
        finally:
            for task in self._going.values():
                task.cancel()

    async def _look(self) -> None:
        async with self._database.statement() as connection:
            await self._take_outgrown(connection)
            for each in await homes.unsettled(connection, SCANNED) - self._going.keys():
                task = self._going[each] = asyncio.create_task(self._move(each))
                task.add_done_callback(partial(self._ended, each))
            # Those that a search of an earlier look may still read wait for the next.
            orphans = await homes.orphans(connection)
            for gallery_id in orphans & self._orphans:
                await homes.sweep(connection, gallery_id)
            self._orphans = orphans

    async def _take_outgrown(self, connection: Connection) -> None:
        if not self._outgrown:
            return
        outgrown, self._outgrown = self._outgrown, set()
        try:
            await require_pgvector(connection)
            self._possible = True
        except PgvectorMissing as fault:
            self._possible = False
            self._say(None, f"a gallery is about to outgrow CLASSIFIER_MEMORY, and must stay: {fault}")
            return
        for gallery_id in outgrown:
            await homes.want(connection, gallery_id, "database")

    async def _move(self, gallery_id: UUID) -> None:
        async with self._room, await self._database.listening() as connection:
            cursor = await connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"mien moves {gallery_id}",)
            )
            if await cursor.fetchone() == (True,):  # else another replica moves it
                with suppress(ApiKeyUnknown):  # it has been deleted
                    while await _step(connection, await homes.placed(connection, gallery_id)):
                        pass

    def _ended(self, gallery_id: UUID, task: asyncio.Task[None]) -> None:
        del self._going[gallery_id]
        fault = None if task.cancelled() else task.exception()
        if isinstance(fault, Fault | psycopg.Error):
            self._say(gallery_id, f"gallery {gallery_id} cannot be moved yet: {fault}")
        elif fault:
            log.error("gallery %s cannot be moved", gallery_id, exc_info=fault)

    def _say(self, about: UUID | None, words: str) -> None:
        """Not every few seconds the same."""
        if self._said.get(about) != words:
            log.warning("%s", words)
        self._said[about] = words


async def _step(connection: Connection, each: Placed) -> bool:
    """Brings a gallery one step nearer to where it is to be. False: there is no more to be done now."""
    match each.home, each.wanted_home:
        case "memory", "database" if each.dimension:
            await require_pgvector(connection)
            log.info("gallery %s moves into Postgres: %d faces", each.id, each.faces)
            await homes.enter(connection, each.id)
        case "filling", "database":
            await vectors.fill(connection, each.id)
            await homes.filled(connection, each.id)
        case "both", "database":
            await _index(connection, each)
            await homes.cut_over(connection, each.id)
            log.info("Postgres searches gallery %s now", each.id)
        case "database", "database" if each.faces > SCANNED and not each.indexed:
            await _index(connection, each)
        case "database", "memory":
            await homes.leave(connection, each.id)
            log.info("gallery %s moves back into memory: %d faces", each.id, each.faces)
        case (("both" | "filling"), "memory"):
            await homes.leave(connection, each.id)
            await homes.left(connection, each.id)
            return False
        case _:
            return False
    return True


async def _index(connection: Connection, each: Placed) -> None:
    if each.faces > SCANNED and not each.indexed:
        await vectors.build_index(connection, await newest_in(connection, each.id), each.faces)
