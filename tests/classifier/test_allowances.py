"""Rates and quotas of keys: in one replica, over three, and at a running classifier."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import psycopg
import pytest

from classifier import allowances as module
from classifier.allowances import Allowances
from mien.v1 import gallery_pb2 as pb
from mien.v1 import recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving.faults import GalleryFull, QuotaExceeded, RateExceeded
from store.callers import Caller, find_caller
from store.database import Database
from store.keys import Limits, create_key, hash_of, list_keys, revoke_key
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import new_service

Limited = Callable[..., Coroutine[Any, Any, Caller]]


@pytest.fixture
def limited(database: Database, database_url: str) -> Limited:
    """The caller with a key that has these limits."""

    async def limited(**limits: Any) -> Caller:
        with psycopg.connect(database_url) as connection:
            service, _ = new_service(database_url)
            _, key = create_key(connection, service.id, "door", limits=Limits(**limits))
        _, (caller,) = await find_caller(database, hash_of(key), "recognition")
        return caller

    return limited


async def test_a_rate_lets_a_burst_through_and_says_when_the_next_one_may_come(
    database: Database, limited: Limited
) -> None:
    allowances, caller = Allowances(database), await limited(rate=20, burst=3)
    for _ in range(3):
        await allowances.spend_request(caller)
    with pytest.raises(RateExceeded) as refused:
        await allowances.spend_request(caller)
    assert refused.value.retry_after
    assert 0 < refused.value.retry_after <= 0.05
    await asyncio.sleep(refused.value.retry_after)
    await allowances.spend_request(caller)
    await allowances.spend_request(await limited(rate=1))  # another key's


@pytest.mark.parametrize("daily", [1, 7, 450])
async def test_a_quota_holds_exactly_over_three_replicas_that_spend_at_once(
    database: Database, limited: Limited, daily: int
) -> None:
    caller = await limited(daily_requests=daily, daily_images=daily)
    replicas = [Allowances(database) for _ in range(3)]
    for kind in ("spend_request", "spend_image"):
        told: list[tuple[dict[str, str], float]] = []

        async def spend(turn: int, kind: str = kind, told: Any = told) -> int:
            try:
                await getattr(replicas[turn % 3], kind)(caller)
                return 1
            except QuotaExceeded as fault:
                told.append((fault.facts, fault.retry_after or -1))
                return 0

        spent = sum(await asyncio.gather(*(spend(turn) for turn in range(3 * daily + 9))))
        assert spent == daily, kind
        assert {facts["daily"] for facts, _ in told} == {str(daily)}
        assert all(0 < wait <= 86400 for _, wait in told)


async def test_what_a_replica_takes_and_does_not_spend_is_a_hundredth_at_most(
    database: Database, limited: Limited
) -> None:
    caller = await limited(daily_requests=500)
    await Allowances(database).spend_request(caller)
    other = Allowances(database)
    for _ in range(495):
        await other.spend_request(caller)
    with pytest.raises(QuotaExceeded):
        await other.spend_request(caller)


async def test_a_quota_that_was_raised_counts_and_a_day_ends_what_was_taken_of_it(
    database: Database, database_url: str, limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowances, caller = Allowances(database), await limited(daily_requests=1)
    await allowances.spend_request(caller)
    with pytest.raises(QuotaExceeded):
        await allowances.spend_request(caller)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE keys SET daily_requests = 2 WHERE id = %s", (caller.key_id,))
    await allowances.spend_request(caller._replace(limits=Limits(daily_requests=2)))
    monkeypatch.setattr(module, "AGAIN", 0.0)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE keys SET day = day - 1 WHERE id = %s", (caller.key_id,))
    await allowances.spend_request(caller._replace(limits=Limits(daily_requests=2)))


async def test_it_remembers_no_more_keys_than_it_may(
    database: Database, limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    allowances = Allowances(database)
    for _ in range(4):
        await allowances.spend_request(await limited(rate=1))
    assert (len(allowances._accounts), len(allowances._used)) == (2, 2)


async def test_the_last_use_is_written_down_some_seconds_later(
    database: Database, database_url: str, limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NOTED", 0.05)
    allowances, caller = Allowances(database), await limited()
    noting = asyncio.create_task(allowances.run())
    await allowances.spend_request(caller)
    with psycopg.connect(database_url, autocommit=True) as connection:
        async with asyncio.timeout(5):
            while not list_keys(connection, caller.service_id)[1].last_used_at:
                await asyncio.sleep(0.01)
    noting.cancel()


def key_with(classifier: Classifier, kind: str = "recognition", **limits: Any) -> list[tuple[str, str]]:
    with psycopg.connect(classifier.database_url) as connection:
        service, _ = new_service(classifier.database_url, kind)
        return [("x-api-key", create_key(connection, service.id, "door", limits=Limits(**limits))[1])]


async def test_an_image_counts_where_it_is_looked_at(
    channel: grpc.aio.Channel, classifier: Classifier, obama: bytes
) -> None:
    key = key_with(classifier, daily_images=2)
    gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
    add = pb.AddFaceRequest(image=obama, subject="Ann", idempotency_key="ann")
    for _ in range(3):  # the first is looked at, the others are known
        await gallery.AddFace(add, metadata=key)
    probe = recognition_pb2.RecognizeRequest(image=obama)
    await recognition.Recognize(probe, metadata=key)
    facts = await refusal(recognition.Recognize(probe, metadata=key), QuotaExceeded)
    assert facts == {"quota": "images", "daily": "2"}
    stream = gallery.AddFaces(iter([pb.AddFacesRequest(subject="Ben", image=obama)]), metadata=key)
    (answer,) = [answer async for answer in stream]
    assert answer.error.message.startswith("this API key may have 2 images a day")
    await gallery.ListSubjects(pb.ListSubjectsRequest(), metadata=key)

    pair = recognition_pb2.VerifyRequest(source_image=obama, target_image=obama)
    verifying = key_with(classifier, "verification", daily_images=3)
    await recognition.Verify(pair, metadata=verifying)
    await refusal(recognition.Verify(pair, metadata=verifying), QuotaExceeded)


async def test_a_rate_and_a_quota_of_requests_are_refused_before_anything_is_done(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    stub = GalleryServiceStub(channel)
    for fault, limits in ((RateExceeded, {"rate": 0.1, "burst": 1}), (QuotaExceeded, {"daily_requests": 1})):
        key = key_with(classifier, **limits)
        await stub.CreateSubject(pb.CreateSubjectRequest(subject="Ann"), metadata=key)
        await refusal(stub.CreateSubject(pb.CreateSubjectRequest(subject="Ben"), metadata=key), fault)


async def test_a_full_gallery_takes_no_face_of_an_image_or_of_an_embedding(
    channel: grpc.aio.Channel, classifier: Classifier, obama: bytes
) -> None:
    key, stub = key_with(classifier, max_faces=1), GalleryServiceStub(channel)
    await stub.AddFace(pb.AddFaceRequest(image=obama, subject="Ann"), metadata=key)
    facts = await refusal(
        stub.AddFace(pb.AddFaceRequest(image=obama, subject="Ben"), metadata=key), GalleryFull
    )
    assert facts == {"max_faces": "1"}
    embedded = pb.EmbeddedFace(embedding=[1.0] * 128, model="open")
    stream = stub.AddFaces(iter([pb.AddFacesRequest(subject="Ben", embedded=embedded)]), metadata=key)
    (answer,) = [answer async for answer in stream]
    assert answer.error.code == GalleryFull.code.value[0]


async def test_a_key_that_was_revoked_has_nothing_left(
    database: Database, database_url: str, limited: Limited
) -> None:
    caller = await limited(daily_requests=5)
    with psycopg.connect(database_url) as connection:
        revoke_key(connection, caller.service_id, "door")
    with pytest.raises(QuotaExceeded):
        await Allowances(database).spend_request(caller)
