"""The keys that this replica knows, as Postgres has them: one that was revoked opens for a second at most."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from contextlib import suppress
from typing import NamedTuple

import psycopg

from serving.faults import Fault, Overloaded, StoreUnavailable
from store.callers import Caller, find_caller, newest_callers, revision_of_keys
from store.database import Database
from store.patience import soon

log = logging.getLogger(__name__)

REMEMBERED = 10_000  # keys
READ = 1_000  # of them, anew whenever a key has changed: those that were used last
LIFETIME = 1.0  # seconds that a key is believed since Postgres was last known to have it so
PULSE = 0.4  # seconds between questions whether any key has changed: often enough that keys do not get old


class _Known(NamedTuple):
    caller: Caller
    revision: int  # of all keys, that had it so
    asked: float  # time.monotonic(), of when that was asked for
    expires: float  # time.monotonic()


class Keyring:
    """Knows the keys that were used last, and asks for the others.

    All keys have one revision, which counts their changes. A key counts for as long as Postgres was asked no
    more than LIFETIME ago and had the revision at which the key was read: so what has changed counts no more
    as soon as the change is heard of, and if nothing is heard of any more, LIFETIME later.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[tuple[bytes, str], _Known] = OrderedDict()  # by hash and type of service
        self._revision = -1
        self._level = -math.inf  # when Postgres was last asked, and had that revision
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

    async def run(self) -> None:
        """Follows the changes until cancelled."""
        while True:
            try:
                await self.catch_up()
            except Fault as fault:
                log.debug("keys cannot be read anew: %s", fault)
            except psycopg.errors.UndefinedTable:
                log.debug("keys wait for the schema")
            with suppress(TimeoutError):
                async with asyncio.timeout(PULSE):
                    await self._woken.wait()
            self._woken.clear()

    async def catch_up(self) -> None:
        """Reads keys anew if any has changed. Raises StoreUnavailable, Overloaded."""
        asked = time.monotonic()
        revision = await revision_of_keys(self._database)
        if revision != self._revision:
            asked = time.monotonic()
            revision, callers = await newest_callers(self._database, READ)
            for each in reversed(callers):  # the one that was used last comes first, and is forgotten last
                self._remember(_known(each, revision, asked))
        self._revision, self._level = revision, asked

    def is_known(self, key_hash: bytes, kind: str) -> bool:
        """Whether the key has opened a service of this type, as far as was heard."""
        return (key_hash, kind) in self._known

    async def find(self, key_hash: bytes, kind: str, max_staleness: float = 0.0) -> Caller | None:
        """Whom the key lets in to services of this type; so many seconds ago if Postgres is away.

        Raises StoreUnavailable, Overloaded.
        """
        name = key_hash, kind
        known = self._known.get(name)
        if known and self._age(known) < LIFETIME:
            self._known.move_to_end(name)
            return known.caller
        asked = time.monotonic()
        try:
            revision, callers = await soon(
                find_caller(self._database, key_hash, kind), hurry=max_staleness > 0
            )
        except (StoreUnavailable, Overloaded):
            if known and self._age(known) <= max_staleness:
                return known.caller
            raise
        if not callers:
            self._known.pop(name, None)
            return None
        self._remember(_known(callers[0], revision, asked))
        return callers[0]

    def _remember(self, known: _Known) -> None:
        name = known.caller.key_hash, known.caller.type
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _age(self, known: _Known) -> float:
        """Seconds since it was last known to be so; without end if it is not any more."""
        now = time.monotonic()
        if now >= known.expires or known.revision < self._revision:
            return math.inf
        # One that is ahead of what was heard counts from when it was asked for itself.
        return now - (max(known.asked, self._level) if known.revision == self._revision else known.asked)


def _known(caller: Caller, revision: int, asked: float) -> _Known:
    left = math.inf if caller.seconds_left is None else caller.seconds_left
    return _Known(caller, revision, asked, asked + left)
