"""What the store does leaves an event, and no event a name."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from mien.cli.database import connected
from serving.faults import FaceNotFound, SubjectNotFound
from store.additions import Additions, NewFace
from store.audit import Actor
from store.chain import Link, read, seal_all, verify
from store.gallery import GalleryStore
from store.services import Service, create_service, set_policy
from tests.galleries import IMAGE, MODEL, embedding, enrol


def events(url: str) -> list[Link]:
    with psycopg.connect(url, autocommit=True) as connection:
        seal_all(connection)
        verify(connection)
        return list(read(connection))


def told(link: Link) -> tuple[Any, ...]:
    return link.action, link.object_id, link.details


def face(subject: str, seed: int = 0, by: Actor | None = None) -> NewFace:
    return NewFace(subject, embedding(seed), MODEL, IMAGE, by=by)


async def test_each_write_is_one_event_about_whom_it_concerns(
    store: GalleryStore, additions: Additions, gallery_id: UUID, database_url: str
) -> None:
    await store.create_subject(gallery_id, "Ann Lee")
    one, _ = await enrol(store, gallery_id, "Ann Lee", 1)
    await additions.add_all(
        gallery_id, [face("Ann Lee"), face("Ben Orr"), face("Ben Orr")._replace(image=None)]
    )
    await store.image(gallery_id, one.face_id)
    await store.rename_subject(gallery_id, "Ann Lee", "Anna Lee")
    erased = await store.erase_face(gallery_id, one.face_id)
    await store.rename_subject(gallery_id, "Anna Lee", "Ben Orr")
    gone = await store.erase_subject(gallery_id, "Ben Orr")
    cleared = await store.clear(gallery_id)

    created, made, *rest = events(database_url)
    (ann,) = made.subjects
    assert (created.action, created.actor) == ("service.created", "mien")
    assert told(made) == ("subject.created", ann, {})
    (ben,) = set(rest[1].subjects) - {ann}
    assert [told(each) for each in rest] == [
        ("face.added", one.face_id, {"faces": 1, "images": 1, "revision": 1}),
        ("faces.added", gallery_id, {"faces": 3, "images": 2, "revision": 4}),
        ("image.downloaded", one.face_id, {}),
        ("subject.renamed", ann, {"revision": 5}),
        ("face.erased", one.face_id, {"revision": 6, "subjects": 0, "faces": 1, "images": 1}),
        ("subject.merged", ann, {"revision": 7, "into": str(ben)}),
        ("subject.erased", ben, {"revision": 8, "subjects": 1, "faces": 3, "images": 2}),
        ("gallery.cleared", gallery_id, {"revision": 9, "subjects": 0, "faces": 0, "images": 0}),
    ]
    assert [set(each.subjects) for each in rest] == [
        *({ann}, {ann, ben}, {ann}, {ann}, {ann}, {ann, ben}, {ben}, set())
    ]
    assert [rest[4].id, *(each.id for each in rest[6:])] == [erased.receipt, gone.receipt, cleared.receipt]
    whole = str(events(database_url)).casefold()
    assert not any(name in whole for name in ("ann", "lee", "ben", "orr"))


async def test_who_adds_in_one_batch_is_told_apart(
    additions: Additions, gallery_id: UUID, database_url: str
) -> None:
    ann, ben = Actor("key", UUID(int=1), "203.0.113.1"), Actor("key", UUID(int=2), "203.0.113.2")
    await additions.add_all(gallery_id, [face("A", 1, ann), face("B", 2, ben), face("C", 3, ann)])
    _, one, other = events(database_url)
    assert (one.actor_id, one.origin, one.details["faces"]) == (ann.id, ann.origin, 2)
    assert (other.actor_id, other.origin, other.action) == (ben.id, ben.origin, "face.added")


async def test_faces_erased_together_are_one_event(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    ids = [(await enrol(store, gallery_id, f"subject {n % 2}", n))[0].face_id for n in range(4)]
    await store.erase_faces(gallery_id, ids)
    assert (await store.erase_faces(gallery_id, ids))[1].receipt is None
    last = events(database_url)[-1]
    assert told(last) == (
        *("faces.erased", gallery_id),
        {"revision": 8, "subjects": 0, "faces": 4, "images": 4},
    )
    assert len(last.subjects) == 2


async def test_what_was_not_done_left_no_event(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    with pytest.raises(FaceNotFound):
        await store.erase_face(gallery_id, UUID(int=0))
    with pytest.raises(SubjectNotFound):
        await store.erase_subject(gallery_id, "nobody")
    assert len(events(database_url)) == 1


def test_changes_of_services_are_events_of_the_command_line(database_url: str) -> None:
    def change(connection: psycopg.Connection[Any]) -> tuple[Service, str]:
        made = create_service(connection, "friends", "recognition")
        set_policy(connection, "friends", 0.01)
        return made

    service, key = connected(database_url, change)
    made, changed = events(database_url)
    assert (made.action, changed.action) == ("service.created", "service.changed")
    assert {each.object_id for each in (made, changed)} == {service.id}
    assert key not in str([made, changed])
    assert {(each.actor, each.service_id) for each in (made, changed)} == {("command", service.id)}
