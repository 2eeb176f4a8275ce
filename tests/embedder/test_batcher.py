"""Dynamic batching, with workers that hold still until they are told to go on."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from embedder.batcher import Batcher
from serving.faults import Overloaded
from tests.embedder.conftest import unread


class Worker:
    """Doubles numbers, one batch each time it is let go. Below zero it fails; a 13 it loses."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.go.acquire(timeout=5)
        if min(items) < 0:
            raise ArithmeticError("below zero")
        return [2 * item for item in items if item != 13]


@asynccontextmanager
async def working(batcher: Batcher[int, int], *workers: Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(batcher.work(worker)) for worker in workers]
    yield
    for task in tasks:
        assert not task.done(), "a worker has ended"
        task.cancel()
    for worker in workers:
        worker.go.release(99)
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.002)


async def submitted(batcher: Batcher[int, int], *items: int) -> "asyncio.Task[list[int]]":
    task = asyncio.create_task(results(batcher, *items))
    await asyncio.sleep(0)
    return task


async def results(batcher: Batcher[int, int], *items: int) -> list[int]:
    return (await batcher.submit(items)).results


async def test_what_waits_while_the_worker_is_busy_is_one_batch() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=4, max_waiting=100)
    worker = Worker()
    async with working(batcher, worker):
        tasks = [await submitted(batcher, 1)]
        await until(lambda: worker.batches)
        tasks += [await submitted(batcher, 2), await submitted(batcher, 3, 4, 5), await submitted(batcher, 6)]
        worker.go.release(3)
        assert await asyncio.gather(*tasks) == [[2], [4], [6, 8, 10], [12]]
    assert worker.batches == [[1], [2, 3, 6, 4], [5]]  # callers take turns


async def test_an_idle_worker_waits_for_no_company() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=100, max_waiting=100)
    worker = Worker()
    worker.go.release(1)
    async with working(batcher, worker):
        assert await asyncio.wait_for(results(batcher, 1), 1) == [2]


async def test_two_workers_draw_from_one_queue() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=1, max_waiting=100)
    stuck, free = Worker(), Worker()
    async with working(batcher, stuck, free):
        tasks = [await submitted(batcher, 1), await submitted(batcher, 2)]
        await until(lambda: stuck.batches and free.batches)
        rest = [await submitted(batcher, item) for item in (3, 4)]
        free.go.release(3)
        assert await asyncio.gather(*rest) == [[6], [8]]
        assert len(stuck.batches) == 1
        stuck.go.release()
        assert await asyncio.gather(*tasks) == [[2], [4]]


async def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=2, max_waiting=3)
    waiting = [await submitted(batcher, 1, 2), await submitted(batcher, 3)]
    with pytest.raises(Overloaded):
        await batcher.submit([4])
    worker = Worker()
    worker.go.release(9)
    async with working(batcher, worker):
        await asyncio.gather(*waiting)
        assert await results(batcher, 4) == [8]


async def test_a_call_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=2, max_waiting=3)
    large = await submitted(batcher, *range(10))
    with pytest.raises(Overloaded):
        await batcher.submit([4])
    worker = Worker()
    worker.go.release(9)
    async with working(batcher, worker):
        assert await large == [2 * item for item in range(10)]


async def test_a_cancelled_call_leaves_and_its_place_is_free() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=9, max_waiting=2)
    gone, kept = await submitted(batcher, 1), await submitted(batcher, 2)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    also = await submitted(batcher, 3)
    worker = Worker()
    worker.go.release(9)
    async with working(batcher, worker):
        assert await asyncio.gather(kept, also) == [[4], [6]]
    assert worker.batches == [[2, 3]]


async def test_who_leaves_during_a_batch_harms_nobody() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=9, max_waiting=9)
    gone, kept = await submitted(batcher, 1), await submitted(batcher, 2)
    worker = Worker()
    async with working(batcher, worker):
        await until(lambda: worker.batches == [[1, 2]])
        gone.cancel()
        worker.go.release()
        assert await kept == [4]


@pytest.mark.parametrize(("bad", "fault"), [(-1, ArithmeticError), (13, ValueError)])
async def test_a_batch_that_fails_fails_its_callers_alone(bad: int, fault: type[Exception]) -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=9, max_waiting=9)
    worker = Worker()
    worker.go.release(9)
    async with working(batcher, worker):
        with pytest.raises(fault):
            await batcher.submit([bad])
        assert await results(batcher, 5) == [10]


async def test_nothing_of_nothing() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=9, max_waiting=9)
    assert await batcher.submit([]) == ([], 0)


async def test_each_call_is_told_its_share_of_the_work_and_not_how_long_it_waited() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=4, max_waiting=9)
    one, three = (asyncio.create_task(batcher.submit(items)) for items in ([1], [2, 3, 4]))
    await asyncio.sleep(0.5)
    worker = Worker()
    async with working(batcher, worker):
        await until(lambda: worker.batches == [[1, 2, 3, 4]])
        await asyncio.sleep(0.2)
        worker.go.release()
        shares = (await one).seconds, (await three).seconds
    assert shares[1] == pytest.approx(3 * shares[0])
    assert 0.2 <= sum(shares) < 0.5


async def test_waiting_for_a_thread_is_no_work() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=4, max_waiting=9)
    worker = Worker()
    worker.go.release()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    busy = asyncio.create_task(asyncio.to_thread(time.sleep, 0.3))
    await asyncio.sleep(0)
    async with working(batcher, worker):
        assert (await batcher.submit([1])).seconds < 0.1
    await busy


async def test_work_in_several_batches_adds_up() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=2, max_waiting=9)
    worker = Worker()
    async with working(batcher, worker):
        answers = asyncio.create_task(batcher.submit([1, 2, 3]))
        for batches in (1, 2):
            await until(lambda: len(worker.batches) == batches)  # noqa: B023
            await asyncio.sleep(0.1)
            worker.go.release()
        assert 0.2 <= (await answers).seconds < 0.4


async def test_a_lone_call_is_answered_in_its_own_thread() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=2, max_waiting=9)
    worker = Worker()

    def double(items: Sequence[int]) -> list[int]:
        return [2 * item for item in items]

    assert batcher.at_once(double, [1]) is None  # nobody works here
    async with working(batcher, worker):
        await until(lambda: batcher.at_once(double, [1]) is not None)
        answers = batcher.at_once(double, [1, 2])
        assert answers
        assert answers.results == [2, 4]
        assert batcher.at_once(double, [1, 2, 3]) is None  # more than a batch
        with pytest.raises(ZeroDivisionError):
            batcher.at_once(lambda items: [items[0] // 0], [1])
        task = await submitted(batcher, 1)
        await until(lambda: worker.batches)
        assert batcher.at_once(double, [1]) is None  # another is under way
        worker.go.release()
        await task
        assert batcher.at_once(double, [1])


async def test_nobody_is_answered_at_once_where_company_is_waited_for() -> None:
    batcher: Batcher[int, int] = Batcher(unread().queue("test"), max_size=2, max_waiting=9, max_delay=0.01)
    async with working(batcher, Worker()):
        await asyncio.sleep(0.05)
        assert batcher.at_once(list, [1]) is None
