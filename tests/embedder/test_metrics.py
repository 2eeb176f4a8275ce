"""What the embedder counts of queues and batches, in this process."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import CollectorRegistry

from embedder.batcher import Batcher
from embedder.metrics import Metrics
from embedder.pool import Pool
from embedder.steps import DETECTOR, POSE, RECOGNISER, Step

Value = Callable[..., float | None]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


@pytest.fixture
def value(registry: CollectorRegistry) -> Value:
    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"mien_embedder_{name}", labels)

    return value


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.002)


async def test_what_waits_for_a_step_and_the_batches_it_comes_in(metrics: Metrics, value: Value) -> None:
    batcher: Batcher[int, int] = Batcher(metrics.queue("age"), max_size=4, max_waiting=10)
    go = threading.Event()

    def run(items: Sequence[int]) -> Sequence[int]:
        go.wait(5)
        return items

    six = asyncio.create_task(batcher.submit(range(6)))
    gone = asyncio.create_task(batcher.submit(range(2)))
    await until(lambda: value("queue_length", step="age") == 8)
    gone.cancel()
    await until(lambda: value("queue_length", step="age") == 6)
    await asyncio.sleep(0.1)
    worker = asyncio.create_task(batcher.work(run))
    await until(lambda: value("queue_length", step="age") == 2)
    assert value("batch_size_count", step="age") == 0  # the batch is worked on
    await asyncio.sleep(0.1)
    go.set()
    await six
    worker.cancel()

    assert value("queue_length", step="age") == 0
    assert [value("batch_size_bucket", step="age", le=f"{size}.0") for size in (1, 2, 4)] == [0, 1, 2]
    assert value("batch_size_sum", step="age") == 6
    assert value("wait_seconds_count", step="age") == 2  # one call, in two batches
    waited = value("wait_seconds_sum", step="age")
    assert waited
    assert 0.1 + 0.2 < waited < 3
    worked = value("batch_seconds_sum", step="age")
    assert worked
    assert 0.1 < worked < 1


async def test_images_wait_for_a_thread_and_who_leaves_waits_no_more(metrics: Metrics, value: Value) -> None:
    pool, go = Pool(threads=1, waiting=3, metrics=metrics), threading.Event()
    calls = [asyncio.create_task(pool.run(go.wait, 5)) for _ in range(3)]
    await until(lambda: value("images_waiting") == 2)
    calls.pop().cancel()
    await until(lambda: value("images_waiting") == 1)
    await asyncio.sleep(0.1)
    go.set()
    await asyncio.gather(*calls)
    assert value("images_waiting") == 0
    assert value("image_wait_seconds_count") == 2  # it never got a thread
    assert value("image_seconds_count") == 2
    worked = value("image_seconds_sum")
    assert worked
    assert 0.1 < worked < 2


async def test_an_image_that_fails_is_work_too_and_waits_no_more(metrics: Metrics, value: Value) -> None:
    with pytest.raises(ZeroDivisionError):
        await Pool(1, 0, metrics).run(divmod, 1, 0)
    assert value("images_waiting") == 0
    assert value("image_seconds_count") == 1


def test_faces_count_for_each_step_that_was_done_for_them(metrics: Metrics, value: Value) -> None:
    metrics.analysed([Step(DETECTOR, 0.25), Step(POSE, 0.5)], faces=3)
    metrics.analysed([Step(DETECTOR, 0.25)], faces=0)
    metrics.embedded(128)
    assert value("images_total") == 2
    faces = {step: value("faces_total", step=step) for step in (DETECTOR, POSE, RECOGNISER)}
    assert faces == {"detector": 3, "pose": 3, "recogniser": 128}
    assert value("step_seconds_count", step=DETECTOR) == 2
    assert value("step_seconds_sum", step=DETECTOR) == 0.5
