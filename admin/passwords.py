"""Passwords as argon2id, hashed in threads of their own: the event loop never hashes."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from serving.faults import Overloaded

T = TypeVar("T")

THREADS = 2  # hashes made at once, of 64 MiB each
WAITING = 64  # that may wait for a thread; one more is refused at once
LONGEST = 255  # characters

# Twice the passes and memory that OWASP holds to be the least.
HASHER = PasswordHasher(time_cost=2, memory_cost=64 << 10, parallelism=1)

# Of no password: who has no account, or none here, is checked against it, for the same time as others.
_NOBODY = HASHER.hash("")


class Passwords:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "passwords")
        self._busy = 0

    async def hash(self, password: str) -> str:
        """Raises Overloaded."""
        return await self._run(lambda: HASHER.hash(password))

    async def check(self, password: str, hashed: str | None) -> bool:
        """Whether it is this password. With None it is not, after as long as if there were one.

        Raises Overloaded.
        """
        if len(password) > LONGEST:
            password, hashed = "", None
        right = await self._run(lambda: _verify(hashed or _NOBODY, password))
        return right and hashed is not None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._busy >= THREADS + WAITING:
            raise Overloaded("too many passwords are being hashed; try again with backoff", retry_after=1.0)
        self._busy += 1
        # Not to be cancelled with its caller: the thread goes on, and counts until it is done.
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: "asyncio.Future[T]") -> None:
        self._busy -= 1
        if not running.cancelled():
            running.exception()


def _verify(hashed: str, password: str) -> bool:
    try:
        return HASHER.verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False
