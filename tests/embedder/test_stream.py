"""The `Embed` stream, at a server in this process with the real networks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from PIL import Image
from prometheus_client import CollectorRegistry

from embedder.batcher import Batcher
from embedder.networks import Networks
from embedder.pack import Pack
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.servicer import Embedder
from embedder.stream import MOST, WINDOW
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub, add_EmbedderServiceServicer_to_server
from serving import faults
from serving.limits import MAX_REQUEST
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from serving.server import sizes
from serving.status import from_status
from tests.embedder.conftest import saved, unread

SIZE = 150  # pixels


@asynccontextmanager
async def serving(pipeline: Pipeline, *background: Any) -> AsyncIterator[Any]:
    calls = CallMetrics(CollectorRegistry())
    server = grpc.aio.server(interceptors=[Refusals(calls)], options=sizes(MAX_REQUEST))
    add_EmbedderServiceServicer_to_server(Embedder(pipeline, calls), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tasks = [asyncio.create_task(work) for work in background]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", sizes(MAX_REQUEST)) as channel:
        yield EmbedderServiceStub(channel)
    await server.stop(0)
    for task in tasks:
        task.cancel()


@pytest.fixture
async def stub(pack: Pack, loaded: Networks) -> AsyncIterator[Any]:
    pipeline = Pipeline(pack, loaded, Pool(2, 8, unread()), unread(), 4_000_000)
    async with serving(pipeline, pipeline.work()) as stub:
        yield stub


def chips(*numbers: int) -> bytes:
    """Chips that are different for different numbers."""
    return b"".join(
        np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8).tobytes()
        for number in numbers
    )


def rows(response: pb.EmbedResponse) -> np.ndarray:
    return np.frombuffer(response.embeddings, "<f4").reshape(-1, 128)


async def answers(stub: Any, *requests: pb.EmbedRequest, **how: Any) -> dict[int, pb.EmbedResponse]:
    return {response.id: response async for response in stub.Embed(iter(requests), **how)}


async def test_crops_are_embedded_as_they_are_in_photographs(stub: Any, portrait: Image.Image) -> None:
    outputs = [face_pb2.FACE_OUTPUT_CHIP, face_pb2.FACE_OUTPUT_EMBEDDING]
    face = (await stub.Analyze(pb.AnalyzeRequest(image=saved(portrait), outputs=outputs))).faces[0]
    told = await answers(
        stub,
        pb.EmbedRequest(id=7, chips=face.chip + chips(1) + face.chip),
        pb.EmbedRequest(id=2**63, files=pb.FaceFiles(files=[png(face.chip), png(face.chip, 300)])),
    )
    assert told.keys() == {7, 2**63}
    assert rows(told[7]).shape == (3, 128)
    assert rows(told[7]).dtype == np.float32
    assert np.allclose(np.linalg.norm(rows(told[7]), axis=1), 1, atol=1e-5)
    for same in (rows(told[7])[0], rows(told[7])[2], rows(told[2**63])[0]):
        assert same @ np.array(face.embedding) == pytest.approx(1, abs=1e-5)
    assert rows(told[2**63])[1] @ np.array(face.embedding) > 0.99  # of another size


def png(chip: bytes, size: int = SIZE) -> bytes:
    file = BytesIO()
    Image.frombytes("RGB", (SIZE, SIZE), chip).resize((size, size)).save(file, "PNG")
    return file.getvalue()


async def test_a_file_that_cannot_be_read_harms_no_other(stub: Any) -> None:
    files = [png(chips(1)), b"text", png(chips(2)), b""]
    told = (await answers(stub, pb.EmbedRequest(files=pb.FaceFiles(files=files))))[0]
    assert not told.HasField("error")
    assert np.linalg.norm(rows(told), axis=1) == pytest.approx([1, 0, 1, 0])
    assert [error.index for error in told.errors] == [1, 3]
    assert {type(from_status(error.error)) for error in told.errors} == {faults.ImageUnreadable}


@pytest.mark.parametrize(
    "request_",
    [
        pb.EmbedRequest(id=1),
        pb.EmbedRequest(id=1, chips=b""),
        pb.EmbedRequest(id=1, chips=b"x" * (SIZE * SIZE * 3 - 1)),
        pb.EmbedRequest(id=1, files=pb.FaceFiles()),
        pb.EmbedRequest(id=1, files=pb.FaceFiles(files=[b"x"] * (MOST + 1))),
        pb.EmbedRequest(id=1, chips=bytes(SIZE * SIZE * 3) * (MOST + 1)),
    ],
    ids=["nothing", "none", "a part", "no files", "many files", "many chips"],
)
async def test_a_message_that_cannot_be_done_is_told_why_and_the_stream_goes_on(
    stub: Any, request_: pb.EmbedRequest
) -> None:
    told = await answers(stub, request_, pb.EmbedRequest(id=2, chips=chips(1)))
    assert type(from_status(told[1].error)) is faults.ArgumentInvalid
    assert not told[1].embeddings
    assert rows(told[2]).shape == (1, 128)


class Held:
    """A pipeline whose recogniser holds still until it is let go."""

    def __init__(self, pack: Pack, loaded: Networks, max_waiting: int = 1000) -> None:
        self.embedded = 0
        self.go = asyncio.Event()
        self.pipeline = Pipeline(pack, loaded, Pool(1, 8, unread()), unread(), 10_000_000)
        self.batcher: Batcher[Any, Any] = Batcher(
            unread().queue("recogniser"), max_size=4, max_waiting=max_waiting
        )
        self.pipeline._recogniser._batcher = self.batcher
        self._pack = pack

    def __call__(self, batch: Any) -> list[Any]:
        self.embedded += len(batch)
        return [np.eye(1, self._pack.dimension, dtype=np.float32)[0] for _ in batch]


async def test_whoever_sends_faster_than_is_embedded_waits(pack: Pack, loaded: Networks) -> None:
    """A thousand messages are offered: read are those that are under way."""
    held = Held(pack, loaded)
    offered = 0

    async def requests() -> AsyncIterator[pb.EmbedRequest]:
        nonlocal offered
        for offered in range(1, 1001):
            yield pb.EmbedRequest(id=offered, chips=chips(1) * 8)

    async with serving(held.pipeline) as stub:
        call = stub.Embed(requests())
        await until(lambda: held.batcher._waiting == WINDOW)
        await asyncio.sleep(0.5)
        assert held.batcher._waiting == WINDOW
        assert offered * 8 < 3 * WINDOW  # the window, and what lies in the buffers of the connection
        working = asyncio.create_task(held.batcher.work(held))
        for _ in range(200):  # then it goes on
            await call.read()
        call.cancel()
        working.cancel()


async def test_crops_of_a_call_that_is_given_up_never_reach_the_network(pack: Pack, loaded: Networks) -> None:
    held = Held(pack, loaded)
    async with serving(held.pipeline) as stub:
        given_up = stub.Embed(iter([pb.EmbedRequest(chips=chips(1) * 40)]))
        late = stub.Embed(iter([pb.EmbedRequest(chips=chips(1) * 40)]), timeout=0.3)
        await until(lambda: held.batcher._waiting == 80)
        given_up.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as passed:
            await late.read()
        assert passed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: held.batcher._waiting == 0)
        kept = stub.Embed(iter([pb.EmbedRequest(chips=chips(1) * 3)]))
        await until(lambda: held.batcher._waiting == 3)
        working = asyncio.create_task(held.batcher.work(held))
        assert len((await kept.read()).embeddings) == 3 * 128 * 4
        working.cancel()
    assert held.embedded == 3


async def test_a_full_queue_is_told_of_with_when_to_come_again(pack: Pack, loaded: Networks) -> None:
    held = Held(pack, loaded, max_waiting=50)
    async with serving(held.pipeline) as stub:
        first = stub.Embed(iter([pb.EmbedRequest(chips=chips(1) * 40)]))
        await until(lambda: held.batcher._waiting == 40)
        told = (await answers(stub, pb.EmbedRequest(id=5, chips=chips(1) * 40)))[5]
        assert type(from_status(told.error)) is faults.Overloaded
        retry = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(retry) for detail in told.error.details)
        assert retry.retry_delay.ToMilliseconds() >= 50
        first.cancel()


async def test_a_stream_of_many_does_not_keep_one_waiting(pack: Pack, loaded: Networks) -> None:
    held = Held(pack, loaded)
    async with serving(held.pipeline) as stub:
        many = stub.Embed(iter([pb.EmbedRequest(id=each, chips=chips(1) * 8) for each in range(20)]))
        await until(lambda: held.batcher._waiting == 160)
        one = stub.Embed(iter([pb.EmbedRequest(chips=chips(1))]))
        await until(lambda: held.batcher._waiting == 161)
        with held.batcher._changed:
            assert len(held.batcher._gathered()) == 4  # of either, in turn
        assert held.batcher._waiting == 157
        assert len(held.batcher._lines) == 1  # the one is among them
        many.cancel()
        one.cancel()


async def until(true: Any, patience: float = 10) -> None:
    async with asyncio.timeout(patience):
        while not true():
            await asyncio.sleep(0.005)
