"""Wakes readers when a gallery has changed, or a key."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg

from serving.faults import Fault
from store.callers import CHANNEL as KEYS
from store.database import Connection, Database
from store.revisions import CHANNEL

log = logging.getLogger(__name__)

POLL = 1.0  # seconds: the most that a lost notification delays a change
_BACK_OFF = 0.1, 1.0  # seconds between attempts to connect, at random so that replicas do not march in step

# Brings one gallery up to date, or with None every gallery that is loaded.
CatchUp = Callable[[UUID | None], Awaitable[None]]


class Follower:
    """Calls `catch_up` whenever something may have changed, and `keys_changed` when it may be a key.

    A notification is a hint: what happened is always read from the change log. So a notification lost
    with a connection costs at most POLL seconds and never a change.
    """

    def __init__(
        self, database: Database, catch_up: CatchUp, keys_changed: Callable[[], object] = lambda: None
    ) -> None:
        self._database = database
        self._catch_up = catch_up
        self._keys_changed = keys_changed

    async def run(self) -> None:
        """Follows until cancelled, connecting anew whenever Postgres goes away."""
        while True:
            try:
                async with await self._database.listening() as connection:
                    await self._follow(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, Fault) as error:
                log.warning("lost the change feed (%s); connecting again", type(error).__name__)
                await asyncio.sleep(random.uniform(*_BACK_OFF))  # noqa: S311 # nosec B311 # a pause

    async def _follow(self, connection: Connection) -> None:
        # Before the first reading, so nothing falls between.
        await connection.execute(f"LISTEN {CHANNEL}; LISTEN {KEYS}")
        self._keys_changed()
        await self._catch_up(None)
        polled = time.monotonic()
        while True:
            heard = {notice[:2] async for notice in connection.notifies(timeout=POLL, stop_after=1)}
            # What else has arrived meanwhile is read in the same breath.
            heard |= {notice[:2] async for notice in connection.notifies(timeout=0)}
            if any(channel == KEYS for channel, _ in heard):
                self._keys_changed()
            for gallery_id in (payload for channel, payload in heard if channel == CHANNEL):
                await self._catch_up(UUID(gallery_id))
            # A gallery that is written to without pause must not keep the others from being looked after.
            if time.monotonic() - polled >= POLL or not heard:
                await self._catch_up(None)
                polled = time.monotonic()
