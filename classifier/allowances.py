"""What keys may do yet: so many requests a second, and so many requests and images a day."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from uuid import UUID

from classifier.buckets import Bucket
from serving.faults import Fault, QuotaExceeded, RateExceeded
from store.callers import Caller, Quota, note_uses, take
from store.database import Database
from store.keys import Limits

log = logging.getLogger(__name__)

REMEMBERED = 10_000  # keys
NOTED = 5.0  # seconds between writings of when keys were used last
AGAIN = 1.0  # seconds until a quota that is used up is asked for again: it may have been raised


class Allowances:
    """Counts what calls spend.

    The rate is this replica's own. A quota is the whole mesh's: replicas take it from Postgres in parts, of a
    hundredth of it and 100 at most, so it is never exceeded; up to one part at each replica may stay unused.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts: OrderedDict[UUID, _Account] = OrderedDict()
        self._used: dict[UUID, float] = {}  # time.monotonic(), of those that are not written down yet

    async def spend_request(self, caller: Caller) -> None:
        """Raises RateExceeded, QuotaExceeded, StoreUnavailable."""
        if len(self._used) < REMEMBERED:
            self._used[caller.key_id] = time.monotonic()
        account = self._account(caller)
        if account.bucket and (wait := account.bucket.take()):
            raise RateExceeded(
                f"this API key may make {caller.limits.rate:g} requests a second; slow down", wait
            )
        await self._spend(caller, account, "requests", caller.limits.daily_requests)

    async def spend_image(self, caller: Caller) -> None:
        """Raises QuotaExceeded, StoreUnavailable."""
        await self._spend(caller, self._account(caller), "images", caller.limits.daily_images)

    async def run(self) -> None:
        """Writes down, until cancelled, when keys were used last."""
        while True:
            await asyncio.sleep(NOTED)
            used, self._used = self._used, {}
            now = time.monotonic()
            try:
                if used:
                    await note_uses(self._database, {each: now - at for each, at in used.items()})
            except Fault as fault:
                self._used = used | self._used
                log.debug("uses of keys cannot be written down: %s", fault)

    def _account(self, caller: Caller) -> "_Account":
        account = self._accounts.get(caller.key_id)
        if account is None or account.limits != caller.limits:
            account = self._accounts[caller.key_id] = _Account(caller.limits)
            if len(self._accounts) > REMEMBERED:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(caller.key_id)
        return account

    async def _spend(self, caller: Caller, account: "_Account", quota: Quota, daily: int | None) -> None:
        if daily is None:
            return
        part = account.parts[quota]
        async with part.lock:
            now = time.monotonic()
            if now >= part.ends:
                part.left = 0
            if not part.left and now >= part.again:
                wanted = min(100, max(1, daily // 100))
                part.left, seconds_left = await take(self._database, caller.key_id, quota, wanted)
                part.ends, part.again = now + seconds_left, now if part.left else now + AGAIN
            if not part.left:
                raise QuotaExceeded(
                    f"this API key may have {daily} {quota} a day; the next day begins at midnight UTC",
                    max(0.0, part.ends - now),
                    quota=quota,
                    daily=daily,
                )
            part.left -= 1


class _Part:
    """What this replica has taken of a quota, and not spent."""

    def __init__(self) -> None:
        self.left = 0
        self.ends = -math.inf  # time.monotonic(), of the day it is of
        self.again = -math.inf  # time.monotonic(), of when to ask for more
        self.lock = asyncio.Lock()


class _Account:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bucket = Bucket(limits.rate, limits.burst or 1) if limits.rate else None
        self.parts: dict[Quota, _Part] = {"requests": _Part(), "images": _Part()}
