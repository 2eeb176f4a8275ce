"""Threads for blocking work, and a bounded number of places to wait for one."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from embedder.metrics import Metrics
from serving.faults import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


def refusal() -> Overloaded:
    return Overloaded("every worker is busy and the queue is full: try again with backoff")


class Pool:
    """`threads` calls run at a time, `waiting` more wait for their turn."""

    def __init__(self, threads: int, waiting: int, metrics: Metrics) -> None:
        self._executor = ThreadPoolExecutor(threads, "image")
        self._most = threads + waiting
        self._calls = 0  # that run or wait
        self._counted = threading.Lock()  # guards that
        self._metrics = metrics

    @property
    def lone(self) -> bool:
        """Whether no more than one call runs or waits."""
        return self._calls <= 1

    @property
    def full(self) -> bool:
        """Whether a call would be refused."""
        return self._calls >= self._most

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What `call` returns or raises. Raises Overloaded at once if there is no place to wait.

        If the caller is cancelled, a call that still waits is not made, and its place is free.
        """
        with self._counted:
            if self.full:
                raise refusal()
            self._calls += 1
        self._metrics.image_came()
        future = self._executor.submit(self._do, time.monotonic(), partial(call, *args, **kwargs))
        future.add_done_callback(self._over)
        return await asyncio.wrap_future(future)

    def _do(self, came: float, call: Callable[[], R]) -> R:
        began = time.monotonic()
        self._metrics.image_taken(began - came)
        try:
            return call()
        finally:
            self._metrics.image_done(time.monotonic() - began)

    def _over(self, future: Future[Any]) -> None:
        with self._counted:
            self._calls -= 1
        if future.cancelled():  # while it waited
            self._metrics.image_left()
