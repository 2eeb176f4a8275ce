"""The AddFaces stream, at a running classifier with a real embedder and a real Postgres."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from classifier.adding import STREAMS
from mien.v1 import embedder_pb2, recognition_pb2
from mien.v1 import gallery_pb2 as pb
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving import faults
from serving.status import from_status
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal

Key = list[tuple[str, str]]
DIMENSION = 128
MODEL = "open"


@pytest.fixture
def gallery(channel: grpc.aio.Channel) -> Any:
    return GalleryServiceStub(channel)


def vector(seed: int) -> list[float]:
    return np.random.default_rng(seed).standard_normal(DIMENSION).tolist()  # type: ignore[no-any-return]


def ready(number: int, subject: str = "Ann", key: str = "", **changed: Any) -> pb.AddFacesRequest:
    """A face of this number, embedded already."""
    embedded = pb.EmbeddedFace(**{"embedding": vector(number), "model": MODEL} | changed)
    return pb.AddFacesRequest(id=number, subject=subject, embedded=embedded, idempotency_key=key)


async def told(
    gallery: Any, key: Key, requests: Iterable[pb.AddFacesRequest]
) -> dict[int, pb.AddFacesResponse]:
    return {answer.id: answer async for answer in gallery.AddFaces(iter(requests), metadata=key)}


def fault(answer: pb.AddFacesResponse) -> faults.Fault | None:
    assert answer.HasField("error") != answer.HasField("face")
    return from_status(answer.error) if answer.HasField("error") else None


async def test_faces_of_images_and_of_embeddings_are_enrolled_and_found(
    gallery: Any, channel: grpc.aio.Channel, embedder: str, key: Key, obama: bytes, biden: bytes
) -> None:
    async with grpc.aio.insecure_channel(embedder) as inside:
        served = await EmbedderServiceStub(inside).GetModel(embedder_pb2.GetModelRequest())
    assert (served.model.name, served.model.dimension) == (MODEL, DIMENSION)
    ask = RecognitionServiceStub(channel).Recognize
    request = recognition_pb2.RecognizeRequest(image=biden, include_embedding=True)
    bidens = list((await ask(request, metadata=key)).faces[0].face.embedding)

    longer = [2 * value for value in bidens]
    answers = await told(
        gallery,
        key,
        [
            pb.AddFacesRequest(id=7, subject="Obama", image=obama),
            ready(2**63, "Biden", embedding=longer, image=b"a portrait"),
            ready(1, "nobody"),
        ],
    )
    assert {number: answer.face.subject for number, answer in answers.items()} == {
        7: "Obama",
        2**63: "Biden",
        1: "nobody",
    }
    assert {answer.revision for answer in answers.values()} == {1, 2, 3}
    best = [
        (await ask(recognition_pb2.RecognizeRequest(image=image), metadata=key)).faces[0].matches[0]
        for image in (obama, biden)
    ]
    assert [match.subject for match in best] == ["Obama", "Biden"]
    assert best[1].cosine == pytest.approx(1, abs=1e-5)

    async def image(number: int) -> Any:
        face = pb.GetFaceImageRequest(face_id=answers[number].face.face_id)
        return await gallery.GetFaceImage(face, metadata=key)

    assert ((await image(7)).data, (await image(2**63)).data) == (obama, b"a portrait")
    facts = await refusal(image(1), faults.ImageNotKept)
    assert facts == {"face_id": answers[1].face.face_id}


async def test_each_bad_face_is_told_why_and_does_no_harm(
    gallery: Any, key: Key, no_face: bytes, two_faces: bytes
) -> None:
    good = [ready(number) for number in range(20)]
    bad = {
        100: (ready(100, " "), faults.ArgumentInvalid, "subject"),
        101: (ready(101, key="x" * 256), faults.ArgumentInvalid, "idempotency_key"),
        102: (pb.AddFacesRequest(id=102, subject="Ann"), faults.ArgumentInvalid, "face"),
        103: (ready(103, embedding=vector(0)[1:]), faults.ArgumentInvalid, "embedding"),
        104: (ready(104, embedding=[0.0] * DIMENSION), faults.ArgumentInvalid, "embedding"),
        105: (ready(105, embedding=[float("nan")] * DIMENSION), faults.ArgumentInvalid, "embedding"),
        106: (ready(106, model=""), faults.ModelMismatch, None),
        107: (ready(107, model="another"), faults.ModelMismatch, None),
        108: (ready(108, image=bytes((10 << 20) + 1)), faults.ImageTooLarge, None),
        109: (pb.AddFacesRequest(id=109, subject="Ann", image=b"text"), faults.ImageUnreadable, None),
        110: (pb.AddFacesRequest(id=110, subject="Ann", image=no_face), faults.NoFace, None),
        111: (pb.AddFacesRequest(id=111, subject="Ann", image=two_faces), faults.SeveralFaces, None),
        112: (
            pb.AddFacesRequest(id=112, subject="Ann", image=two_faces, min_score=2),
            faults.ArgumentInvalid,
            "min_score",
        ),
    }
    mixed = [*good[:10], *(request for request, _, _ in bad.values()), *good[10:]]
    answers = await told(gallery, key, mixed)
    assert answers.keys() == {*range(20), *bad}
    for number, (_, kind, field) in bad.items():
        refused = fault(answers[number])
        assert type(refused) is kind, number
        assert refused.facts.get("field") == field
    assert [fault(answers[number]) for number in range(20)] == [None] * 20
    assert (await gallery.ListFaces(pb.ListFacesRequest(), metadata=key)).total == 20
    mismatched = fault(answers[107])
    assert mismatched
    assert mismatched.facts == {"embedding_model": "another", "model": MODEL}


async def test_an_embedding_of_any_length_is_brought_to_norm_1(
    gallery: Any, channel: grpc.aio.Channel, key: Key
) -> None:
    lengths = [3.4e38, 1.0, 1e-45]  # the largest and the least of float32
    ones = [ready(number, embedding=[length] * DIMENSION) for number, length in enumerate(lengths)]
    assert [fault(answer) for answer in (await told(gallery, key, ones)).values()] == [None] * 3
    probe = recognition_pb2.RecognizeEmbeddingsRequest(
        embeddings=[recognition_pb2.Embedding(values=[1.0] * DIMENSION)], max_matches=3
    )
    found = await RecognitionServiceStub(channel).RecognizeEmbeddings(probe, metadata=key)
    (match,) = found.results[0].matches  # they are one subject's
    assert match.cosine == pytest.approx(1, abs=1e-6)


async def test_what_is_sent_again_under_its_key_is_there_once(
    gallery: Any, key: Key, obama: bytes, biden: bytes
) -> None:
    def photographed(number: int, **changed: Any) -> pb.AddFacesRequest:
        fields = {"subject": "Obama", "image": obama, "idempotency_key": "a photograph"}
        return pb.AddFacesRequest(id=number, **fields | changed)

    once = pb.AddFaceRequest(subject="Obama", image=obama, idempotency_key="a photograph")
    alone = await asyncio.gather(*(gallery.AddFace(once, metadata=key) for _ in range(2)))
    many = await told(
        gallery,
        key,
        [photographed(1), photographed(2, subject="OBAMA"), *(ready(3, key="ready") for _ in range(9))],
    )
    again = await told(gallery, key, [ready(3, key="ready"), photographed(1, image=biden)])
    assert {each.face.face_id for each in (*alone, many[1], many[2])} == {alone[0].face.face_id}
    assert many[3].face == again[3].face
    assert (await gallery.ListFaces(pb.ListFacesRequest(), metadata=key)).total == 2

    for other in (
        photographed(1, image=biden),
        photographed(1, subject="Biden"),
        ready(1, key="a photograph"),
        ready(1, key="ready"),
        ready(3, key="ready", image=b"an image"),
        ready(3, "Ben", key="ready"),
    ):
        refused = fault((await told(gallery, key, [other]))[1 if other.id == 1 else 3])
        assert type(refused) is faults.IdempotencyKeyUsed
    await refusal(
        gallery.AddFace(
            pb.AddFaceRequest(subject="Obama", image=biden, idempotency_key="a photograph"), metadata=key
        ),
        faults.IdempotencyKeyUsed,
    )


async def test_a_key_that_opens_nothing_is_refused(gallery: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await told(gallery, [("x-api-key", str(uuid4()))], [ready(1)])
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_more_streams_than_there_is_room_for_are_told_when_to_come_again(
    gallery: Any, key: Key
) -> None:
    def opened() -> Any:
        return gallery.AddFaces(metadata=key, timeout=60)

    streams = [opened() for _ in range(STREAMS)]
    for number, stream in enumerate(streams):
        await stream.write(ready(number))
        assert (await stream.read()).id == number
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await opened().read()
    status = rpc_status.from_call(refused.value)
    overloaded = from_status(status)
    assert isinstance(overloaded, faults.Overloaded)
    assert overloaded.retry_after == 1
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)

    streams[0].cancel()
    await streams[1].done_writing()
    assert await streams[1].read() is grpc.aio.EOF
    for number in (1000, 1001):  # both have left their places
        async with asyncio.timeout(10):
            while True:
                try:
                    streams.append(opened())
                    await streams[-1].write(ready(number))
                    assert (await streams[-1].read()).id == number
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
    for stream in streams[2:]:
        stream.cancel()


async def test_a_stream_whose_answers_nobody_fetches_is_not_read_on_and_delays_no_other(
    gallery: Any, classifier: Classifier, key: Key
) -> None:
    offered = 0

    async def endless() -> AsyncIterator[pb.AddFacesRequest]:
        nonlocal offered
        request = ready(0, image=bytes(2000))
        while True:
            offered += 1
            yield request

    # Else the client's own side takes tens of thousands of answers that nobody has fetched.
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1 << 16)]
    async with grpc.aio.insecure_channel(classifier.address, options) as channel:
        stuck = GalleryServiceStub(channel).AddFaces(endless(), metadata=key)
        before = -1
        async with asyncio.timeout(60):
            while before != offered:
                before = offered
                await asyncio.sleep(1)
        assert before > 512
        began = time.monotonic()
        assert len(await told(gallery, key, [ready(number) for number in range(100)])) == 100
        assert time.monotonic() - began < 10
        assert offered == before
        stuck.cancel()


@pytest.mark.parametrize("how", ["cancelled", "late"])
async def test_a_stream_that_is_given_up_keeps_what_it_was_told_of(gallery: Any, key: Key, how: str) -> None:
    requests = [ready(number) for number in range(3000)]
    call = gallery.AddFaces(iter(requests), metadata=key, timeout=0.5 if how == "late" else None)
    acknowledged = set()

    async def fetch() -> None:
        async for answer in call:
            acknowledged.add(answer.face.face_id)
            if how == "cancelled" and len(acknowledged) == 100:
                call.cancel()

    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await fetch()
    assert len(acknowledged) < 3000
    total = (await gallery.ListFaces(pb.ListFacesRequest(), metadata=key)).total
    await asyncio.sleep(0.5)
    stored = [face async for face in listed(gallery, key)]
    assert len(stored) <= total + 500  # the batch that was under way, and none after it
    assert acknowledged <= {face.face_id for face in stored}


async def listed(gallery: Any, key: Key) -> AsyncIterator[pb.StoredFace]:
    token = ""
    while True:
        request = pb.ListFacesRequest(page_size=1000, page_token=token)
        page = await gallery.ListFaces(request, metadata=key)
        for face in page.faces:
            yield face
        if not (token := page.next_page_token):
            return


async def test_a_gallery_that_is_being_filled_is_searched_and_written_by_others(
    gallery: Any, channel: grpc.aio.Channel, key: Key
) -> None:
    """Every search finds what was acknowledged before it, and no lone writer waits for the stream's end."""
    latest, took = 0, []

    async def fill() -> None:
        nonlocal latest
        requests = (ready(number) for number in range(4000))
        async for answer in gallery.AddFaces(requests, metadata=key):
            assert not answer.HasField("error")
            latest = answer.id

    async def search() -> None:
        wanted = latest
        probe = recognition_pb2.RecognizeEmbeddingsRequest(
            embeddings=[recognition_pb2.Embedding(values=vector(wanted))]
        )
        found = await RecognitionServiceStub(channel).RecognizeEmbeddings(probe, metadata=key)
        assert found.results[0].matches[0].cosine == pytest.approx(1, abs=1e-5)

    async def write() -> None:
        began = time.monotonic()
        await gallery.CreateSubject(pb.CreateSubjectRequest(subject=str(uuid4())), metadata=key)
        took.append(time.monotonic() - began)

    filling = asyncio.create_task(fill())
    while not latest:
        await asyncio.sleep(0.01)
    searches = 0
    while not filling.done():
        await asyncio.gather(search(), write())
        searches += 1
    await filling
    assert searches > 2
    assert max(took) < 3, took
