"""Streams that are answered as they are done, and read only while there is room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from serving.faults import Overloaded
from serving.streaming import answered


class Sent:
    """A stream of numbers, which remembers how many were read."""

    def __init__(self, count: int) -> None:
        self.read = 0
        self._count = count

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._count):
            self.read += 1
            yield number


async def at_once(number: int) -> int:
    return number


async def test_whoever_does_not_fetch_is_not_read_from() -> None:
    sent = Sent(1000)
    async with aclosing(answered(sent, at_once, room=10, needs=lambda number: 2)) as answers:
        assert await anext(answers) == 0
        await asyncio.sleep(0.05)
        assert sent.read == 6  # five in the room, and one that waits for it
        assert len([each async for each in answers]) == 999


async def test_answers_come_as_they_are_ready() -> None:
    async def answer(number: int) -> int:
        await asyncio.sleep(0.2 if number == 0 else 0)
        return number

    told = [each async for each in answered(Sent(4), answer, room=9, needs=lambda _: 1)]
    assert told == [1, 2, 3, 0]


async def test_what_waits_is_dropped_when_nobody_fetches_on() -> None:
    dropped: list[int] = []

    async def answer(number: int) -> int:
        try:
            if number:
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            dropped.append(number)
            raise
        return number

    async with aclosing(answered(Sent(4), answer, room=9, needs=lambda _: 1)) as answers:
        assert await anext(answers) == 0
    assert sorted(dropped) == [1, 2, 3]


async def test_what_an_answer_raises_ends_the_stream() -> None:
    async def answer(number: int) -> int:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        await anext(answered(Sent(1), answer, room=9, needs=lambda _: 1))
