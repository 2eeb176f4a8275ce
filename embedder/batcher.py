"""Turns many small calls into few large ones."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from embedder.steps import timed
from serving.faults import Overloaded

In = TypeVar("In")
Out = TypeVar("Out")


class Answers(NamedTuple, Generic[Out]):
    """What workers made of the items of one call."""

    results: list[Out]  # one for each item
    seconds: float  # of work: of each batch that items of the call were in, their share


class Batcher(Generic[In, Out]):
    """Lends each item a place in a batch: whatever waits when a worker is free, of all callers.

    Nothing waits for company: while every worker is busy, items gather by themselves.
    """

    def __init__(self, *, max_size: int, max_waiting: int) -> None:
        self._max_size = max_size
        self._max_waiting = max_waiting
        self._waiting: OrderedDict[asyncio.Future[tuple[Out, float]], In] = OrderedDict()  # the oldest first
        self._filled = asyncio.Event()

    async def submit(self, items: Sequence[In]) -> Answers[Out]:
        """What workers make of each of `items`, or raises. They may travel in several batches.

        Raises Overloaded at once if they would make more than `max_waiting` items wait, unless none
        does. Items whose caller is cancelled leave the queue.
        """
        if self._waiting and len(self._waiting) + len(items) > self._max_waiting:
            raise Overloaded("every worker is busy and the queue is full: try again with backoff")
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[tuple[Out, float]]] = [loop.create_future() for _ in items]
        self._waiting.update(zip(answers, items, strict=True))
        self._filled.set()
        try:
            answered = await asyncio.gather(*answers)
            return Answers([result for result, _ in answered], sum(seconds for _, seconds in answered))
        finally:
            for answer in answers:
                self._waiting.pop(answer, None)

    async def work(self, run: Callable[[Sequence[In]], Sequence[Out]]) -> None:
        """Serves batches with `run`, each in a thread, until cancelled. Call it once for each worker."""
        while True:
            await self._filled.wait()
            count = min(self._max_size, len(self._waiting))
            if count == 0:  # another worker was quicker, or the callers have gone
                self._filled.clear()
                continue
            batch = [self._waiting.popitem(last=False) for _ in range(count)]
            try:
                # The clock runs in the thread: until one is free, the batch waits.
                results, seconds = await asyncio.to_thread(timed, run, [item for _, item in batch])
                settled = [(answer, result) for (answer, _), result in zip(batch, results, strict=True)]
            except Exception as fault:  # a bad batch must not end the worker
                for answer, _ in batch:
                    if not answer.done():
                        answer.set_exception(fault)
                continue
            for answer, result in settled:
                if not answer.done():  # its caller may have gone meanwhile
                    answer.set_result((result, seconds / count))
