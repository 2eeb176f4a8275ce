"""What is answered while Postgres is away, to whom, and for how long."""

import asyncio
import time
from collections.abc import Iterator
from uuid import UUID

import grpc
import psycopg
import pytest
from google.protobuf.duration_pb2 import Duration

from classifier.allowances import Allowances
from classifier.galleries import NEWEST, Freshness, Galleries
from classifier.keyring import LIFETIME, Keyring
from classifier.keys import Keys
from classifier.rules import Rule
from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving.faults import (
    ApiKeyUnknown,
    ArgumentInvalid,
    Overloaded,
    RevisionUnknown,
    StoreUnavailable,
)
from store.database import Database
from store.gallery import GalleryStore
from tests.classifier.conftest import Classifier, serving
from tests.classifier.refusing import refusal
from tests.galleries import enrol, new_service
from tests.postgres import Server

PLENTY = 1 << 30  # bytes
ALLOWED = 1.5  # seconds
RULE = Rule("recognition", "recognise")
HERE = "127.0.0.1"


@pytest.fixture
async def galleries(database: Database) -> Galleries:
    return Galleries(database, PLENTY, max_staleness=ALLOWED)


async def test_a_stale_answer_needs_the_readers_word_and_says_how_stale_it_is(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str, postgres: Server
) -> None:
    await enrol(store, gallery_id, "Ann")
    assert (await galleries.fresh(gallery_id, Freshness(max_staleness=60))).staleness == 0
    known = time.monotonic()
    postgres.refuse(database_url)
    await asyncio.sleep(0.3)
    view = await galleries.fresh(gallery_id, Freshness(max_staleness=60))
    assert (len(view.matrix), view.revision) == (1, 1)
    assert view.staleness == pytest.approx(time.monotonic() - known, abs=0.1)
    for too_little in (Freshness(max_staleness=0.3), NEWEST):
        with pytest.raises(StoreUnavailable):
            await galleries.fresh(gallery_id, too_little)


async def test_nobody_gets_one_that_is_staler_than_the_server_allows(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str, postgres: Server
) -> None:
    await enrol(store, gallery_id, "Ann")
    await galleries.fresh(gallery_id)
    postgres.refuse(database_url)
    over = time.monotonic() + ALLOWED
    answered = 0
    while time.monotonic() < over + 0.5:
        began = time.monotonic()
        try:
            assert (await galleries.fresh(gallery_id, Freshness(max_staleness=60))).staleness <= ALLOWED
            answered += 1
        except (StoreUnavailable, Overloaded):
            assert time.monotonic() > over - 0.1
        assert time.monotonic() - began < 1, "it is not waited for long, either"
        await asyncio.sleep(0.05)
    assert answered
    postgres.admit(database_url)
    async with asyncio.timeout(5):
        while True:
            try:
                assert (await galleries.fresh(gallery_id)).staleness == 0
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def test_min_revision_holds_in_both_cases(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str, postgres: Server
) -> None:
    for seed in range(2):
        await enrol(store, gallery_id, "Ann", seed)
        await galleries.fresh(gallery_id)
    assert (await galleries.fresh(gallery_id, Freshness(min_revision=2))).revision == 2
    with pytest.raises(RevisionUnknown) as unknown:
        await galleries.fresh(gallery_id, Freshness(min_revision=3))
    assert unknown.value.facts == {"revision": "2"}
    postgres.refuse(database_url)
    assert (await galleries.fresh(gallery_id, Freshness(2, 60))).revision == 2
    with pytest.raises(StoreUnavailable):
        await galleries.fresh(gallery_id, Freshness(3, 60))


async def test_a_gallery_that_is_not_held_has_no_stale_answer(
    galleries: Galleries, gallery_id: UUID, database_url: str, postgres: Server
) -> None:
    postgres.refuse(database_url)
    with pytest.raises(StoreUnavailable):
        await galleries.fresh(gallery_id, Freshness(max_staleness=60))


async def test_a_key_lives_on_as_long_as_the_call_and_the_server_allow_and_no_longer(
    database: Database, database_url: str, postgres: Server
) -> None:
    keys = Keys(Keyring(database), Allowances(database), max_staleness=ALLOWED)
    service, key = new_service(database_url)
    _, unseen = new_service(database_url)
    assert (await keys.let_in(key, RULE, HERE)).service_id == service.id
    seen = time.monotonic()
    postgres.refuse(database_url)
    await asyncio.sleep(LIFETIME)
    assert (await keys.let_in(key, RULE, HERE, max_staleness=60)).service_id == service.id
    for each, allowed in ((key, LIFETIME / 2), (unseen, 60)):
        with pytest.raises(StoreUnavailable):
            await keys.let_in(each, RULE, HERE, max_staleness=allowed)
    await asyncio.sleep(max(0, seen + ALLOWED - time.monotonic()))
    with pytest.raises(StoreUnavailable):
        await keys.let_in(key, RULE, HERE, max_staleness=60)


async def test_a_revoked_key_is_refused_to_stale_calls_too_once_postgres_is_back(
    database: Database, database_url: str, postgres: Server
) -> None:
    keys = Keys(Keyring(database), Allowances(database), max_staleness=60)
    service, key = new_service(database_url)
    await keys.let_in(key, RULE, HERE)
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM services WHERE id = %s", (service.id,))
    await asyncio.sleep(LIFETIME)
    with pytest.raises(ApiKeyUnknown):
        await keys.let_in(key, RULE, HERE, max_staleness=60)
    postgres.refuse(database_url)
    with pytest.raises(StoreUnavailable):
        await keys.let_in(key, RULE, HERE, max_staleness=60)


@pytest.fixture(scope="module")
def alone(embedder: str, postgres: Server) -> Iterator[Classifier]:
    """A classifier whose database may go away."""
    with serving(embedder, postgres) as classifier:
        yield classifier


async def test_calls_that_allow_it_are_answered_and_the_others_refused(
    alone: Classifier, postgres: Server, obama: bytes
) -> None:
    key = [("x-api-key", new_service(alone.database_url)[1])]
    seconds = Duration(seconds=8)
    async with grpc.aio.insecure_channel(alone.address) as channel:
        gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
        await gallery.AddFace(gallery_pb2.AddFaceRequest(image=obama, subject="Ann"), metadata=key)
        probe = recognition_pb2.RecognizeRequest(image=obama, max_staleness=seconds, min_revision=1)
        probe.include_embedding = True
        answer = await recognition.Recognize(probe, metadata=key)
        assert not answer.HasField("staleness")
        (face,) = answer.faces
        embeddings = recognition_pb2.RecognizeEmbeddingsRequest(
            embeddings=[recognition_pb2.Embedding(values=face.face.embedding)]
        )
        probe.min_revision = embeddings.min_revision = 2
        await refusal(recognition.Recognize(probe, metadata=key), RevisionUnknown)
        facts = await refusal(recognition.RecognizeEmbeddings(embeddings, metadata=key), RevisionUnknown)
        assert facts == {"revision": "1"}
        probe.min_revision = embeddings.min_revision = 1

        postgres.refuse(alone.database_url)
        try:
            await asyncio.sleep(LIFETIME)  # the key has to be asked for again
            embeddings.max_staleness.CopyFrom(seconds)
            for stale in (
                await recognition.Recognize(probe, metadata=key),
                await recognition.RecognizeEmbeddings(embeddings, metadata=key),
            ):
                assert stale.revision == 1
                assert LIFETIME < stale.staleness.ToTimedelta().total_seconds() < 8
            for request in (probe, embeddings):
                request.ClearField("max_staleness")
            await asyncio.gather(
                refusal(recognition.Recognize(probe, metadata=key), StoreUnavailable),
                refusal(recognition.RecognizeEmbeddings(embeddings, metadata=key), StoreUnavailable),
                refusal(
                    gallery.ListSubjects(gallery_pb2.ListSubjectsRequest(), metadata=key), StoreUnavailable
                ),
            )
        finally:
            postgres.admit(alone.database_url)


@pytest.mark.parametrize("duration", [Duration(seconds=-1), Duration(nanos=-1)])
async def test_a_duration_below_zero_is_refused(
    channel: grpc.aio.Channel, key: list[tuple[str, str]], duration: Duration
) -> None:
    request = recognition_pb2.RecognizeRequest(max_staleness=duration)
    call = RecognitionServiceStub(channel).Recognize(request, metadata=key)
    assert await refusal(call, ArgumentInvalid) == {"field": "max_staleness"}
