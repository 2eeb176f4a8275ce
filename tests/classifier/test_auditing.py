"""The audit log of a running classifier: whose key did what, from where."""

import asyncio
import time
from uuid import UUID, uuid4

import grpc
import psycopg

from classifier.batches import Batches
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import ApiKeyUnknown
from store.additions import Additions, NewFace
from store.audit import Actor, act_as
from store.chain import Link, read
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import IMAGE, MODEL, embedding, new_service
from tests.store.test_audited import events

PATIENCE = 15.0  # seconds: the classifier links events every second, and counts refusals for five


def awaited(url: str, service_id: UUID | None, count: int, action: str = "") -> list[Link]:
    """The events of a service, once there are so many; the classifier itself links them."""
    where = "service_id IS NOT DISTINCT FROM %(service)s AND (action = %(action)s OR %(action)s = '')"
    deadline = time.monotonic() + PATIENCE
    while True:
        with psycopg.connect(url, autocommit=True) as connection:
            found = list(read(connection, where, {"service": service_id, "action": action}))
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


async def test_calls_are_told_with_their_key_and_origin(
    channel: grpc.aio.Channel, classifier: Classifier, obama: bytes
) -> None:
    service, key = new_service(classifier.database_url)
    gallery = GalleryServiceStub(channel)
    metadata = (("x-api-key", key), ("x-envoy-external-address", "203.0.113.7"))
    added = await gallery.AddFace(pb.AddFaceRequest(image=obama, subject="Obama"), metadata=metadata)
    await gallery.GetFaceImage(pb.GetFaceImageRequest(face_id=added.face.face_id), metadata=metadata)
    await gallery.ListFaces(pb.ListFacesRequest(), metadata=metadata)  # leaves none
    junk = (("x-api-key", key), ("x-envoy-external-address", "203.0.113.7, DROP TABLE"))
    await gallery.DeleteSubject(pb.DeleteSubjectRequest(subject="Obama"), metadata=junk)
    made, *told = awaited(classifier.database_url, service.id, 4)
    assert [each.action for each in told] == ["face.added", "image.downloaded", "subject.erased"]
    assert {(each.actor, each.actor_id) for each in told} == {("key", UUID(str(made.details["key"])))}
    assert [each.origin for each in told] == ["203.0.113.7", "203.0.113.7", "127.0.0.1"]
    assert key not in str(told)


async def test_refused_keys_are_counted(channel: grpc.aio.Channel, classifier: Classifier) -> None:
    unknown = str(uuid4())
    metadata = (("x-api-key", unknown), ("x-envoy-external-address", "203.0.113.99"))
    for _ in range(3):
        call = GalleryServiceStub(channel).ListSubjects(pb.ListSubjectsRequest(), metadata=metadata)
        await refusal(call, ApiKeyUnknown)
    deadline = time.monotonic() + PATIENCE
    counted = 0
    while counted < 3:
        assert time.monotonic() < deadline
        told = awaited(classifier.database_url, None, 1, "key.refused")
        mine = [each for each in told if each.origin == "203.0.113.99"]
        counted = sum(int(each.details["attempts"]) for each in mine)
    assert {(each.actor, each.result) for each in mine} == {("nobody", "API_KEY_UNKNOWN")}
    assert unknown not in str(told)


async def test_faces_of_a_batch_are_told_by_who_sent_them_and_not_by_who_came_first(
    additions: Additions, gallery_id: UUID, database_url: str
) -> None:
    batches, ann, ben = Batches(additions), Actor("key", UUID(int=1)), Actor("key", UUID(int=2))
    act_as(ann)
    await batches.add(gallery_id, NewFace("A", embedding(1), MODEL, IMAGE), "line")
    first = batches.add(gallery_id, NewFace("A", embedding(2), MODEL, IMAGE), "line")
    one = asyncio.create_task(first)
    await asyncio.sleep(0)
    act_as(ben)
    await batches.add(gallery_id, NewFace("B", embedding(3), MODEL, IMAGE), "another line")
    await one
    told = [(each.actor_id, each.details["faces"]) for each in events(database_url)[1:]]
    assert told == [(ann.id, 1), (ann.id, 1), (ben.id, 1)]
