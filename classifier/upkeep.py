"""Erases, now and then, what is kept no longer: images and faces of galleries, and events of the log."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg

from serving.faults import Fault
from store.chain import trim
from store.database import Database
from store.retention import Retention

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds
BREATH = 0.1  # seconds that writers have a gallery for themselves, between two batches


class Upkeep:
    """`audit_days` is how long events are kept; 0: for good."""

    def __init__(self, database: Database, audit_days: int) -> None:
        self._database = database
        self._retention = Retention(database)
        self._audit_days = audit_days

    async def run(self) -> None:
        """Looks every minute, until cancelled; replicas at different times."""
        await asyncio.sleep(random.uniform(0, EVERY))  # noqa: S311 # nosec B311 # a pause
        while True:
            try:
                await self.once()
            except (Fault, psycopg.Error) as error:
                log.warning("what is to be kept no longer is erased later: %s", type(error).__name__)
            await asyncio.sleep(EVERY)

    async def once(self, now: datetime | None = None) -> None:
        """Erases all that is too old at `now`; None: now. Raises StoreUnavailable."""
        await _repeated(lambda: self._retention.retire(now))
        if self._audit_days:
            before = (now or datetime.now(UTC)) - timedelta(days=self._audit_days)
            await _repeated(lambda: trim(self._database, before))


async def _repeated(batch: Callable[[], Awaitable[int]]) -> None:
    """Until there is nothing left for it to do."""
    left = await batch()
    while left:
        await asyncio.sleep(BREATH)
        left = await batch()
