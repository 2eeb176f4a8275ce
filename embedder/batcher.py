"""Turns many small calls into few large ones."""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Generic, NamedTuple, TypeVar

from embedder.metrics import Queue
from embedder.steps import timed
from serving.faults import Overloaded

In = TypeVar("In")
Out = TypeVar("Out")

SOON = 0.05  # seconds: what a refused caller is told to wait at least


class Answers(NamedTuple, Generic[Out]):
    """What workers made of the items of one call."""

    results: list[Out]  # one for each item
    seconds: float  # of work: of each batch that items of the call were in, their share


class Batcher(Generic[In, Out]):
    """Lends each item a place in a batch: what waits when a worker is free, of all callers in turn.

    Nothing waits for company unless `max_delay`, in seconds from an item's arrival, says so: while every
    worker is busy, items gather by themselves. Workers are threads that take the next batch without asking
    the event loop, which may be busy reading what comes next.
    """

    def __init__(self, queue: Queue, *, max_size: int, max_waiting: int, max_delay: float = 0.0) -> None:
        self._queue = queue
        self._max_size = max_size
        self._max_waiting = max_waiting
        self._max_delay = max_delay
        self._changed = threading.Condition()  # guards all of what follows
        self._lines: OrderedDict[Hashable, deque[_Call[In, Out]]] = OrderedDict()  # whose turn it is first
        self._waiting = 0  # items
        self._workers = 0
        self._running = 0  # batches
        self._pace = 0.0  # seconds that an item takes one worker, of late

    async def submit(self, items: Sequence[In], line: Hashable = None) -> Answers[Out]:
        """What workers make of each of `items`, or raises. They may travel in several batches.

        Calls that name the same `line` wait behind each other; lines take turns, item by item. Raises
        Overloaded at once if more than `max_waiting` items would wait, unless none does. Items whose
        caller is cancelled leave the queue.
        """
        if not items:
            return Answers([], 0.0)
        call = _Call(items, asyncio.get_running_loop().create_future())
        line = call if line is None else line
        self._enter(call, line)
        try:
            return await call.answer
        finally:
            if call.taken < len(items):
                self._leave(call, line)

    async def work(self, run: Callable[[Sequence[In]], Sequence[Out]]) -> None:
        """Serves batches with `run`, in a thread, until cancelled. Call it once for each worker."""
        ended = threading.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._serve, args=(run, loop, ended), daemon=True).start()
        self._workers += 1
        try:
            await loop.create_future()
        finally:
            self._workers -= 1
            with self._changed:
                ended.set()
                self._changed.notify_all()

    def at_once(
        self, run: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In]
    ) -> Answers[Out] | None:
        """What `run` makes of `items`, in this thread: a lone caller is spared the way to a worker and back.

        None if something else waits or is under way, or it is too much for a batch: it is to be submitted.
        """
        with self._changed:
            idle = self._workers and not (self._waiting or self._running or self._max_delay)
            if not idle or len(items) > self._max_size:
                return None
            self._running += 1
        outcome, seconds = timed(_outcome, run, items)
        self._over(len(items), seconds)
        self._queue.batch(len(items), [0.0], seconds)
        if isinstance(outcome, Exception):
            raise outcome
        return Answers(list(outcome), seconds)

    def _enter(self, call: "_Call[In, Out]", line: Hashable) -> None:
        with self._changed:
            waiting = self._waiting + len(call.items)
            if self._waiting and waiting > self._max_waiting:
                raise Overloaded(
                    "every worker is busy and the queue is full: try again with backoff",
                    retry_after=max(SOON, self._waiting * self._pace / max(1, self._workers)),
                )
            self._wait(waiting)
            self._lines.setdefault(line, deque()).append(call)
            self._changed.notify()

    def _leave(self, call: "_Call[In, Out]", line: Hashable) -> None:
        with self._changed:
            if call.taken < len(call.items):  # a worker may have taken the rest meanwhile
                self._wait(self._waiting - (len(call.items) - call.taken))
                calls = self._lines[line]
                calls.remove(call)
                if not calls:
                    del self._lines[line]

    def _serve(
        self,
        run: Callable[[Sequence[In]], Sequence[Out]],
        loop: asyncio.AbstractEventLoop,
        ended: threading.Event,
    ) -> None:
        while batch := self._next(ended):
            began = time.monotonic()
            outcome, seconds = timed(_outcome, run, [call.items[place] for call, place in batch])
            self._over(len(batch), seconds)
            waits = {call: began - call.arrived for call, _ in batch}
            self._queue.batch(len(batch), waits.values(), seconds)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_deliver, batch, outcome, seconds / len(batch))

    def _next(self, ended: threading.Event) -> "list[_Place[In, Out]]":
        """The next batch as soon as there is one; empty when the worker has ended."""
        with self._changed:
            while not ended.is_set():
                wait = self._due() - time.monotonic() if self._waiting else None
                if wait is not None and (wait <= 0 or self._waiting >= self._max_size):
                    return self._gathered()
                self._changed.wait(wait)
        return []

    def _due(self) -> float:
        """When the oldest item has waited long enough for company, by the monotonic clock."""
        return min(calls[0].arrived for calls in self._lines.values()) + self._max_delay

    def _gathered(self) -> "list[_Place[In, Out]]":
        batch: list[_Place[In, Out]] = []
        while self._lines and len(batch) < self._max_size:
            line, calls = self._lines.popitem(last=False)
            call = calls[0]
            batch.append((call, call.taken))
            call.taken += 1
            if call.taken == len(call.items):
                calls.popleft()
            if calls:
                self._lines[line] = calls  # at the end: the others come first
        self._wait(self._waiting - len(batch))
        if self._waiting:
            self._changed.notify()  # another worker may be idle
        self._running += 1
        return batch

    def _over(self, items: int, seconds: float) -> None:
        """A batch has been run."""
        with self._changed:
            self._running -= 1
            self._pace += (seconds / items - self._pace) / 8

    def _wait(self, items: int) -> None:
        self._waiting = items
        self._queue.holds(items)


class _Call(Generic[In, Out]):
    """Items of one caller, and what has become of them."""

    def __init__(self, items: Sequence[In], answer: "asyncio.Future[Answers[Out]]") -> None:
        self.items = items
        self.answer = answer
        self.arrived = time.monotonic()
        self.taken = 0  # how many have gone into batches; the others wait
        self.results: dict[int, Out] = {}  # by their places
        self.seconds = 0.0


def _outcome(run: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In]) -> Sequence[Out] | Exception:
    try:
        results = run(items)
        if len(results) != len(items):
            raise ValueError(f"{len(items)} items went in and {len(results)} answers came out")
        return results
    except Exception as fault:  # a bad batch must not end the worker
        return fault


_Place = tuple[_Call[In, Out], int]  # a call, and which of its items


def _deliver(batch: list[_Place[In, Out]], outcome: Sequence[Out] | Exception, seconds: float) -> None:
    """Tells callers of a batch, in the event loop. Each item took so many seconds."""
    for number, (call, place) in enumerate(batch):
        if call.answer.done():  # its caller has gone, or another batch has failed
            continue
        if isinstance(outcome, Exception):
            call.answer.set_exception(outcome)
            continue
        call.results[place] = outcome[number]
        call.seconds += seconds
        if len(call.results) == len(call.items):
            results = [call.results[each] for each in range(len(call.items))]
            call.answer.set_result(Answers(results, call.seconds))
