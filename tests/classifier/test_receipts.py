"""Receipts of erasures, and replicas that are or are not past them."""

import asyncio
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest

from classifier.galleries import Galleries
from classifier.presence import Presence
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import ApiKeyUnknown, ArgumentInvalid, ReceiptNotFound
from store.database import Database
from store.gallery import GalleryStore
from store.receipts import Receipts
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import enrol, new_service


@pytest.fixture
def receipts(database: Database, monkeypatch: pytest.MonkeyPatch) -> Receipts:
    monkeypatch.setattr("store.receipts.PATIENCE", 0.3)
    return Receipts(database)


def held(database: Database) -> Galleries:
    return Galleries(database, budget=1 << 20)


async def test_a_receipt_says_what_went_and_that_the_replica_is_past_it(
    channel: grpc.aio.Channel, classifier: Classifier, obama: bytes
) -> None:
    key = [("x-api-key", new_service(classifier.database_url)[1])]
    gallery = GalleryServiceStub(channel)
    await gallery.AddFace(pb.AddFaceRequest(image=obama, subject="Obama"), metadata=key)
    await gallery.GetGalleryState(pb.GetGalleryStateRequest(), metadata=key)  # it is in memory from here on
    erased = await gallery.DeleteSubject(pb.DeleteSubjectRequest(subject="Obama"), metadata=key)
    asked = pb.GetErasureReceiptRequest(receipt_id=erased.receipt_id)
    receipt = await gallery.GetErasureReceipt(asked, metadata=key)
    assert (receipt.receipt_id, receipt.revision) == (erased.receipt_id, erased.revision)
    assert (receipt.subjects, receipt.faces, receipt.images, receipt.complete) == (1, 1, 1, True)
    (replica,) = [each for each in receipt.replicas if each.name.endswith(classifier.address)]
    assert receipt.erased_at.ToDatetime() < replica.passed_at.ToDatetime()

    other = [("x-api-key", new_service(classifier.database_url)[1])]
    await refusal(gallery.GetErasureReceipt(asked, metadata=other), ReceiptNotFound)
    strange = pb.GetErasureReceiptRequest(receipt_id="a receipt")
    await refusal(gallery.GetErasureReceipt(strange, metadata=key), ArgumentInvalid)


async def test_a_receipt_is_complete_once_every_replica_has_passed(
    store: GalleryStore, receipts: Receipts, database: Database, database_url: str
) -> None:
    service, _ = new_service(database_url)
    gallery_id = service.gallery_id
    assert gallery_id
    await enrol(store, gallery_id, "Ann")
    galleries, ids = [held(database) for _ in range(3)], [uuid4() for _ in range(3)]
    ahead, behind, _ = galleries
    for each in (ahead, behind):
        await each.fresh(gallery_id)
    erased = await store.erase_subject(gallery_id, "Ann")
    await ahead.fresh(gallery_id)

    async def told() -> tuple[bool, dict[str, bool]]:
        for _ in range(2):  # they learn that they are asked, and answer
            for id_, each, name in zip(ids, galleries, ("ahead", "behind", "empty"), strict=True):
                await receipts.report(id_, name, each.is_past)
            receipt = await receipts.get(service.id, gallery_id, erased.receipt or uuid4())
        return receipt.complete, {each.name: bool(each.passed_at) for each in receipt.replicas}

    assert await told() == (False, {"ahead": True, "behind": False, "empty": True})
    await behind.fresh(gallery_id)
    assert await told() == (True, {"ahead": True, "behind": True, "empty": True})


async def test_a_gallery_that_is_being_loaded_may_have_what_was_erased(
    database: Database, gallery_id: UUID, store: GalleryStore
) -> None:
    await enrol(store, gallery_id, "Ann")
    galleries = held(database)
    assert galleries.is_past(gallery_id, 2)
    loading = asyncio.create_task(galleries.fresh(gallery_id))
    while not galleries._updates:
        await asyncio.sleep(0)
    assert not galleries.is_past(gallery_id, 2)
    await loading
    assert galleries.is_past(gallery_id, 1)
    assert not galleries.is_past(gallery_id, 2)


async def test_a_silent_replica_is_told_of_and_not_counted(
    store: GalleryStore, receipts: Receipts, database_url: str
) -> None:
    service, _ = new_service(database_url)
    gallery_id = service.gallery_id
    assert gallery_id
    await enrol(store, gallery_id, "Ann")
    erased = await store.clear(gallery_id)
    assert erased.receipt
    await receipts.report(uuid4(), "killed", lambda gallery, revision: False)
    assert not (await receipts.get(service.id, gallery_id, erased.receipt)).complete
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE replicas SET seen_at = seen_at - interval '11 s'")
    receipt = await receipts.get(service.id, gallery_id, erased.receipt)
    assert (receipt.complete, [each.live for each in receipt.replicas]) == (True, [False])


async def test_a_replica_that_ends_signs_off(
    database: Database, receipts: Receipts, database_url: str
) -> None:
    def count() -> int:
        with psycopg.connect(database_url) as connection:
            return len(connection.execute("SELECT FROM replicas").fetchall())

    running = asyncio.create_task(Presence(receipts, held(database), "here").run())
    while not count():
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert count() == 0


async def test_a_gallery_whose_service_is_erased_is_wiped_from_memory(
    store: GalleryStore, database: Database, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Ann")
    galleries = held(database)
    matrix = (await galleries.fresh(gallery_id)).matrix
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM services")
    with pytest.raises(ApiKeyUnknown):
        await galleries.fresh(gallery_id)
    await galleries.catch_up(None)
    while galleries.held():
        await asyncio.sleep(0.01)
    assert len(matrix) == 0
