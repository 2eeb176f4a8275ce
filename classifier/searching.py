"""Searches of one gallery that are wanted at the same time are made together: it is read once for all."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classifier.blocks import Floats
from classifier.matrix import Hit, Matrix
from serving.faults import Overloaded

TOGETHER = 64  # probes searched for at once; a call with more goes alone
WAITING = 4096  # probes that may wait for one gallery
SOON = 0.1  # seconds: what a refused caller is told to wait


class Searches:
    """Those under way. One of a gallery goes on at a time, since one core reads all that memory can give.

    Nobody waits for company: what has come while a search went on is the next one.
    """

    def __init__(self) -> None:
        self._waiting: dict[Matrix, list[_Call]] = {}  # of each matrix that is being searched
        self._going: set[asyncio.Task[None]] = set()  # a task that nobody knows could be collected

    async def search(
        self, matrix: Matrix, probes: Sequence[Floats], count: int, *, distinct: bool
    ) -> list[list[Hit]]:
        """As Matrix.search, in another thread. Raises Overloaded at once if too many wait."""
        if not probes:
            return []
        call = _Call(np.stack(probes), count, distinct, asyncio.get_running_loop().create_future())
        waiting = self._waiting.get(matrix)
        if waiting is None:
            self._waiting[matrix] = [call]
            going = asyncio.create_task(self._go_on(matrix))
            self._going.add(going)
            going.add_done_callback(self._going.discard)
        elif sum(len(each.probes) for each in waiting) + len(probes) > WAITING and waiting:
            raise Overloaded(
                "too many searches wait for this gallery: try again with backoff", retry_after=SOON
            )
        else:
            waiting.append(call)
        return await call.answer

    async def _go_on(self, matrix: Matrix) -> None:
        """Searches until nobody waits any more."""
        while calls := _next(self._waiting[matrix]):
            try:
                answers = await asyncio.to_thread(_together, matrix, calls)
            except Exception as fault:  # it must not end those who come later
                for call in calls:
                    if not call.answer.done():
                        call.answer.set_exception(fault)
                continue
            for call, answer in zip(calls, answers, strict=True):
                if not call.answer.done():  # its caller has gone
                    call.answer.set_result(answer)
        del self._waiting[matrix]


class _Call(NamedTuple):
    probes: Floats  # (q, d)
    most: int  # hits of a probe
    distinct: bool
    answer: "asyncio.Future[list[list[Hit]]]"


def _next(waiting: list[_Call]) -> list[_Call]:
    """Takes those who are searched for together: of one kind, and not too many."""
    calls: list[_Call] = []
    left: list[_Call] = []
    probes = 0
    for call in waiting:
        if call.answer.done():  # its caller has gone
            continue
        fits = not calls or (
            probes + len(call.probes) <= TOGETHER
            and call.distinct == calls[0].distinct
            and call.probes.shape[1] == calls[0].probes.shape[1]
        )
        (calls if fits else left).append(call)
        probes += len(call.probes) if fits else 0
    waiting[:] = left
    return calls


def _together(matrix: Matrix, calls: list[_Call]) -> list[list[list[Hit]]]:
    most = max(call.most for call in calls)
    found = iter(
        matrix.search(np.concatenate([call.probes for call in calls]), most, distinct=calls[0].distinct)
    )
    return [[next(found)[: call.most] for _ in call.probes] for call in calls]
