"""Refused attempts, which anybody may make as often as they like: counted, and written now and then."""

import asyncio
import logging
from collections import Counter
from typing import NamedTuple
from uuid import UUID

import psycopg

from serving.faults import Overloaded, StoreUnavailable
from store.audit import Actor, Event, record
from store.database import Database

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds
ORIGINS = 100  # told apart between two writings; the others are counted together, as of nowhere


class _Attempt(NamedTuple):
    action: str
    result: str
    origin: str | None
    service_id: UUID | None


class Attempts:
    """However many there are, no more than 101 events are written in five seconds, each with its count."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts: Counter[_Attempt] = Counter()

    def note(self, action: str, result: str, origin: str | None, service_id: UUID | None = None) -> None:
        """One more was refused, for the reason `result`."""
        attempt = _Attempt(action, result, origin, service_id)
        if attempt not in self._counts and len(self._counts) >= ORIGINS:
            attempt = _Attempt(action, result, None, None)
        self._counts[attempt] += 1

    async def run(self) -> None:
        """Writes what has been counted, every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.write()
            except (StoreUnavailable, Overloaded, psycopg.Error):
                log.warning("refused attempts cannot be written to the audit log now")

    async def write(self) -> None:
        """Writes what has been counted. Raises StoreUnavailable; then it is counted on."""
        counts = dict(self._counts)
        async with self._database.transaction() as connection:
            for attempt, count in counts.items():
                actor = Actor("nobody", None, attempt.origin, attempt.service_id)
                told = {"attempts": count}
                await record(
                    connection, Event(attempt.action, result=attempt.result, details=told, actor=actor)
                )
        self._counts -= Counter(counts)
