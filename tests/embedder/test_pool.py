"""Threads with a bounded number of places to wait."""

import asyncio
import threading

import pytest

from embedder.pool import Pool
from serving.faults import Overloaded
from tests.embedder.conftest import unread


async def started(pool: Pool, made: list[int], go: threading.Event, number: int) -> "asyncio.Task[None]":
    def call() -> None:
        made.append(number)
        go.wait(5)

    task = asyncio.create_task(pool.run(call))
    await asyncio.sleep(0.02)
    return task


async def test_more_than_may_wait_are_refused_at_once() -> None:
    pool, made, go = Pool(threads=2, waiting=1, metrics=unread()), list[int](), threading.Event()
    tasks = [await started(pool, made, go, number) for number in range(3)]
    with pytest.raises(Overloaded):
        await pool.run(print)
    go.set()
    await asyncio.gather(*tasks)
    assert sorted(made) == [0, 1, 2]
    await pool.run(made.clear)  # and there is room again
    assert made == []


async def test_who_leaves_while_waiting_is_not_served_and_frees_the_place() -> None:
    pool, made, go = Pool(threads=1, waiting=1, metrics=unread()), list[int](), threading.Event()
    busy, gone = [await started(pool, made, go, number) for number in (1, 2)]
    gone.cancel()
    await asyncio.sleep(0)
    next_ = await started(pool, made, go, 3)
    go.set()
    await asyncio.gather(busy, next_)
    assert made == [1, 3]


async def test_who_leaves_while_being_served_keeps_the_thread_until_it_ends() -> None:
    pool, made, go = Pool(threads=1, waiting=0, metrics=unread()), list[int](), threading.Event()
    busy = await started(pool, made, go, 1)
    busy.cancel()
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.run(print)
    go.set()


async def test_what_a_call_raises_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await Pool(1, 0, unread()).run(divmod, 1, 0)


async def test_a_call_is_alone_until_another_comes() -> None:
    pool, made, go = Pool(threads=1, waiting=1, metrics=unread()), list[int](), threading.Event()
    one = await started(pool, made, go, 1)
    assert pool.lone
    other = await started(pool, made, go, 2)
    assert not pool.lone
    go.set()
    await asyncio.gather(one, other)
    assert pool.lone
