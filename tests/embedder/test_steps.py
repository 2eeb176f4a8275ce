"""What was done to an image, and what becomes of calls that are refused or leave half-way."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embedder.detector import Pixels
from embedder.networks import Networks, Reader
from embedder.pack import Pack
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.search import Search
from embedder.stage import CHIPS
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.faults import Overloaded
from tests.embedder.conftest import saved, unread

VERSIONS = {
    "detector": "open/yunet@8f2383e4+centerface@09189dea",
    "aligner": "open/dlib5@c4b1e980",
    "recogniser": "open/dlib@55533b28",
    "age": "open/age@4f9f0075",
    "gender": "open/gender@d4c4116c",
    "mask": "open/mask@63b9dea8",
    "pose": "open/landmarks",
    "quality": "open/chips",
}
OUTPUTS = {
    "recogniser": face_pb2.FACE_OUTPUT_EMBEDDING,
    "age": face_pb2.FACE_OUTPUT_AGE,
    "gender": face_pb2.FACE_OUTPUT_GENDER,
    "mask": face_pb2.FACE_OUTPUT_MASK,
    "pose": face_pb2.FACE_OUTPUT_POSE,
}
WHOLE = Search(whole_image=True)


async def test_the_model_says_what_it_can_do_and_with_what(embedder: EmbedderServiceStub) -> None:
    steps = (await embedder.GetModel(pb.GetModelRequest())).steps
    assert [(step.name, step.version) for step in steps] == list(VERSIONS.items())
    assert [step.milliseconds for step in steps] == [0] * len(steps)


async def test_steps_are_those_that_were_done_in_their_order(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    for names in ((), ("pose", "recogniser"), ("gender", "age"), tuple(OUTPUTS)):
        request = pb.AnalyzeRequest(image=saved(portrait), outputs=[OUTPUTS[name] for name in names])
        steps = (await embedder.Analyze(request)).steps
        aligned = ["aligner"] if {"recogniser", "age", "gender"} & set(names) else []
        expected = [name for name in VERSIONS if name in ("detector", *aligned, *names)]
        assert [(step.name, step.version) for step in steps] == [(name, VERSIONS[name]) for name in expected]
        assert all(0 < step.milliseconds < 10_000 for step in steps)


async def test_a_chip_alone_is_not_the_recognisers_work(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    request = pb.AnalyzeRequest(image=saved(portrait), outputs=[face_pb2.FACE_OUTPUT_CHIP])
    assert [step.name for step in (await embedder.Analyze(request)).steps] == ["detector", "aligner"]


async def test_without_a_face_there_is_nothing_more_to_do(embedder: EmbedderServiceStub) -> None:
    empty = saved(Image.new("RGB", (90, 60)))
    answer = await embedder.Analyze(pb.AnalyzeRequest(image=empty, outputs=list(OUTPUTS.values())))
    assert [step.name for step in answer.steps] == ["detector"]


async def test_steps_take_less_than_the_call_and_no_waiting(
    pack: Pack, loaded: Networks, portrait: Image.Image
) -> None:
    pipeline = Pipeline(pack, loaded, Pool(1, 8, unread()), unread(), 3_000_000)
    everything = {"embeddings": True, "ages": True, "genders": True, "poses": True}
    calls = [asyncio.create_task(pipeline.analyze(saved(portrait), **everything)) for _ in range(4)]
    await asyncio.sleep(1)
    began = time.perf_counter()
    worker = asyncio.create_task(pipeline.work())
    analyses = await asyncio.gather(*calls)
    took = time.perf_counter() - began
    for name in ("recogniser", "age", "gender"):
        seconds = [step.seconds for analysis in analyses for step in analysis.steps if step.name == name]
        assert len(seconds) == 4
        assert sum(seconds) < took + 0.2  # cutting the chips, which was done before
    worker.cancel()


@pytest.fixture
def seen() -> Counter[str]:
    """How many chips came to each network."""
    return Counter()


@pytest.fixture
def watched(pack: Pack, loaded: Networks, seen: Counter[str]) -> Pipeline:
    """A pipeline nobody works for yet, whose networks count what they see."""

    def counting(name: str, reader: Reader[Any]) -> Reader[Any]:
        def look(chips: Sequence[Pixels]) -> list[Any]:
            seen[name] += len(chips)
            return reader.look(chips)

        return reader._replace(look=look)

    networks = {name: counting(name, getattr(loaded, name)) for name in ("recogniser", "age", "gender")}
    return Pipeline(pack, loaded._replace(**networks), Pool(2, 2 * CHIPS, unread()), unread(), 3_000_000)


async def worked(pipeline: Pipeline, until: Callable[[], object]) -> None:
    worker = asyncio.create_task(pipeline.work())
    async with asyncio.timeout(20):
        while not until():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    worker.cancel()


async def test_who_leaves_takes_everything_out_of_every_queue(watched: Pipeline, seen: Counter[str]) -> None:
    image = saved(Image.new("RGB", (64, 64)))
    everything = {"embeddings": True, "ages": True, "genders": True}
    gone, stays = [asyncio.create_task(watched.analyze(image, WHOLE, **everything)) for _ in range(2)]
    await asyncio.sleep(0.2)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await worked(watched, stays.done)
    assert seen == {"recogniser": 1, "age": 1, "gender": 1}
    assert len((await stays).embeddings) == 1


async def test_one_full_queue_refuses_at_once_and_nothing_is_done(
    watched: Pipeline, seen: Counter[str]
) -> None:
    image = saved(Image.new("RGB", (8, 8)))
    waiting = [asyncio.create_task(watched.analyze(image, WHOLE, ages=True)) for _ in range(CHIPS)]
    assert watched._age
    async with asyncio.timeout(30):
        while watched._age._batcher._waiting < CHIPS:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(1):
        with pytest.raises(Overloaded):
            await watched.analyze(image, WHOLE, embeddings=True, ages=True, genders=True)
    allowed = asyncio.create_task(watched.analyze(image, WHOLE, genders=True))
    await worked(watched, lambda: allowed.done() and all(task.done() for task in waiting))
    assert seen == {"age": CHIPS, "gender": 1}
    assert all(len(task.result().ages) == 1 for task in waiting)


async def test_a_network_that_fails_fails_the_call_and_no_other(
    pack: Pack, loaded: Networks, portrait: Image.Image
) -> None:
    assert loaded.age
    broken = loaded._replace(age=loaded.age._replace(chip_size=63))  # no network takes such chips
    pipeline = Pipeline(pack, broken, Pool(2, 8, unread()), unread(), 3_000_000)
    worker = asyncio.create_task(pipeline.work())
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        await pipeline.analyze(saved(portrait), ages=True, embeddings=True)
    analysis = await pipeline.analyze(saved(portrait), genders=True, embeddings=True)
    assert np.linalg.norm(analysis.embeddings[0]) == pytest.approx(1, abs=1e-5)
    worker.cancel()
