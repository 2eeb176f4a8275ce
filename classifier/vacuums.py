"""Wipes what erased faces have left in the tables of vectors."""

import asyncio
import logging
import time

import psycopg

from serving.faults import Fault
from store.database import Database
from store.vectors import due_for_vacuum, vacuum

log = logging.getLogger(__name__)

_RESTED = 60.0  # seconds between two looks, at least
_SHARE = 20  # the rest takes as many times as long as the work did


class Vacuums:
    """A vacuum of an index reads all of it, so there is one at a time, and long pauses."""

    def __init__(self, database: Database, rested: float = _RESTED) -> None:
        self._database = database
        self._rested = rested

    async def run(self) -> None:
        """Vacuums until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self._look()
            except (Fault, psycopg.Error) as error:
                log.warning("tables of vectors cannot be vacuumed (%s)", type(error).__name__)
            await asyncio.sleep(max(self._rested, _SHARE * (time.monotonic() - began)))

    async def _look(self) -> None:
        async with await self._database.listening() as connection:
            cursor = await connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended('mien vacuums', 0))"
            )
            if await cursor.fetchone() == (True,):  # else another replica does
                for table in await due_for_vacuum(connection):
                    await vacuum(connection, table)
