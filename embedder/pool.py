"""Threads for blocking work, and a bounded number of places to wait for one."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from serving.faults import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


class Pool:
    """`threads` calls run at a time, `waiting` more wait for their turn."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "image")
        self._places = threading.BoundedSemaphore(threads + waiting)

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `call` returns or raises. Raises Overloaded at once if there is no place to wait.

        If the caller is cancelled, a call that still waits is not made, and its place is free.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded("every worker is busy and the queue is full: try again with backoff")
        future = self._executor.submit(call, *args, **kwargs)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
