"""Faces added in batches, under keys or not, at a real Postgres."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import psycopg
import pytest

from serving import faults
from serving.faults import Fault, GalleryFull, IdempotencyKeyUsed, ImageNotKept
from store.additions import Added, Additions, Key, NewFace
from store.database import Database
from store.gallery import GalleryStore
from store.revisions import CHANNEL, changes_since, newest
from tests.galleries import IMAGE, MODEL, embedding, enrol, new_gallery


def face(seed: int, subject: str = "Ann", key: str = "", content: int = 0) -> NewFace:
    known_by = Key(key, content.to_bytes(32)) if key else None
    return NewFace(subject, embedding(seed), MODEL, IMAGE, known_by)


def added(outcomes: Sequence[Added | Fault]) -> list[Added]:
    assert all(isinstance(each, Added) for each in outcomes), outcomes
    return [each for each in outcomes if isinstance(each, Added)]


async def test_the_faces_of_a_batch_are_revisions_in_their_order_and_one_notification(
    additions: Additions, store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    async with await database.listening() as listening:
        await listening.execute(f"LISTEN {CHANNEL}")
        first = added(await additions.add_all(gallery_id, [face(n, f"subject {n % 3}") for n in range(5)]))
        second = added(await additions.add_all(gallery_id, [face(n, "SUBJECT 1") for n in range(5, 8)]))
        heard = [notice.payload async for notice in listening.notifies(timeout=0.3)]
    assert heard == [str(gallery_id)] * 2
    assert [each.revision for each in first + second] == list(range(1, 9))
    assert [each.face.subject for each in second] == ["subject 1"] * 3

    news = await changes_since(database, gallery_id, 0)
    assert news.gallery.revision == 8
    assert [change.revision for change in news.changes] == list(range(1, 9))
    ids = [each.face.face_id for each in first + second]
    assert [change.id for change in news.changes] == ids
    assert [change.face.embedding for change in news.changes if change.face] == [
        embedding(n) for n in range(8)
    ]
    listed = (await store.list_faces(gallery_id, None, limit=9)).faces
    assert listed == [each.face for each in first + second]
    assert await store.list_subjects(gallery_id) == ["subject 0", "subject 1", "subject 2"]


async def test_a_bad_face_does_no_harm_to_its_batch(
    additions: Additions, store: GalleryStore, gallery_id: UUID
) -> None:
    await additions.add(gallery_id, face(0, key="a"))
    outcomes = await additions.add_all(
        gallery_id,
        [
            face(1),
            face(2)._replace(model="another model"),
            face(3, key="a", content=1),
            face(4)._replace(embedding=embedding(4, 16)),
            face(5, "Ben"),
        ],
    )
    kinds = [Added, faults.ModelMismatch, IdempotencyKeyUsed, faults.ArgumentInvalid, Added]
    assert [type(each) for each in outcomes] == kinds
    assert [each.revision for each in outcomes if isinstance(each, Added)] == [2, 3]
    assert (await store.list_faces(gallery_id, None, limit=9)).total == 3
    assert await store.list_subjects(gallery_id) == ["Ann", "Ben"]


async def test_a_batch_of_bad_faces_alone_leaves_no_trace(
    additions: Additions, gallery_id: UUID, database: Database
) -> None:
    await additions.add(gallery_id, face(0))
    await additions.add_all(gallery_id, [face(1)._replace(model="another model")])
    assert (await newest(database, gallery_id)).revision == 1
    assert await additions.add_all(gallery_id, []) == []


async def test_the_first_face_of_a_batch_ties_an_empty_gallery_to_its_model(
    additions: Additions, gallery_id: UUID, database: Database
) -> None:
    other = face(1)._replace(model="another model", embedding=embedding(1, 16))
    outcomes = await additions.add_all(gallery_id, [face(0), other])
    assert [type(each) for each in outcomes] == [Added, faults.ModelMismatch]
    assert (await newest(database, gallery_id))[1:4] == (1, MODEL, 8)


async def test_an_add_that_is_tried_again_makes_one_face(
    additions: Additions, store: GalleryStore, gallery_id: UUID
) -> None:
    first, twin, other = added(
        await additions.add_all(gallery_id, [face(0, key="a"), face(0, key="a"), face(0, key="b")])
    )
    assert (first, other.revision) == (twin, 2)
    await store.rename_subject(gallery_id, "Ann", "Ben")
    again = await additions.add(gallery_id, face(0, key="a"))
    assert again.face == first.face._replace(subject="Ben")
    assert again.revision == 3  # which has it
    assert await additions.known(gallery_id, Key("a", bytes(32))) == again
    assert await additions.known(gallery_id, Key("c", bytes(32))) is None
    assert (await store.list_faces(gallery_id, None, limit=9)).total == 2


async def test_of_adds_at_once_under_one_key_one_makes_a_face(
    additions: Additions, store: GalleryStore, gallery_id: UUID
) -> None:
    adds = [additions.add_all(gallery_id, [face(n, key=f"{n}") for n in range(10)]) for _ in range(8)]
    told = [added(outcomes) for outcomes in await asyncio.gather(*adds)]
    assert len({tuple(each.face for each in outcomes) for outcomes in told}) == 1
    assert (await store.list_faces(gallery_id, None, limit=99)).total == 10


async def test_other_content_under_the_same_key_is_refused(additions: Additions, gallery_id: UUID) -> None:
    first, second = await additions.add_all(gallery_id, [face(0, key="a"), face(1, key="a", content=1)])
    assert isinstance(first, Added)
    facts = {"face_id": str(first.face.face_id)}
    assert isinstance(second, IdempotencyKeyUsed)
    assert second.facts == facts
    for refused in (
        additions.add(gallery_id, face(1, key="a", content=1)),
        additions.known(gallery_id, Key("a", b"1" * 32)),
    ):
        with pytest.raises(IdempotencyKeyUsed) as told:
            await refused
        assert told.value.facts == facts


async def test_a_key_is_kept_as_long_as_its_face_and_in_its_gallery(
    additions: Additions, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    first = await additions.add(gallery_id, face(0, key="a"))
    other = await additions.add(new_gallery(database_url), face(1, key="a", content=1))
    assert other.revision == 1
    await store.erase_face(gallery_id, first.face.face_id)
    assert (await additions.add(gallery_id, face(1, key="a", content=1))).revision == 3


async def test_a_face_may_have_no_image(additions: Additions, store: GalleryStore, gallery_id: UUID) -> None:
    without, one = added(await additions.add_all(gallery_id, [face(0)._replace(image=None), face(1)]))
    with pytest.raises(ImageNotKept):
        await store.image(gallery_id, without.face.face_id)
    assert await store.image(gallery_id, one.face.face_id) == IMAGE


async def test_nothing_is_skipped_by_who_reads_while_batches_and_single_writes_go_on(
    additions: Additions, store: GalleryStore, gallery_id: UUID, database: Database, database_url: str
) -> None:
    over = asyncio.Event()
    seen: list[int] = []

    async def read() -> None:
        revision = 0
        while True:
            last = over.is_set()
            news = await changes_since(database, gallery_id, revision)
            seen.extend(change.revision for change in news.changes)
            revision = news.gallery.revision
            if last:
                return

    async def write_many() -> None:
        for _ in range(5):
            await additions.add_all(gallery_id, [face(n) for n in range(40)])

    async def write_one() -> None:
        for turn in range(10):
            await enrol(store, gallery_id, "Ann", turn)

    reading = asyncio.create_task(read())
    await asyncio.gather(write_many(), write_one(), write_many(), write_one())
    over.set()
    await reading
    assert seen == list(range(1, 421))
    with psycopg.connect(database_url) as connection:
        logged = connection.execute(
            "SELECT count(*), count(faces.id) FROM changes LEFT JOIN faces ON faces.id = changes.id"
        ).fetchall()
    assert logged == [(420, 420)]


async def test_the_log_keeps_its_length_under_batches(
    additions: Additions, gallery_id: UUID, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.revisions.KEPT", 20)
    monkeypatch.setattr("store.revisions._TRIM_EVERY", 10)
    for _ in range(4):
        await additions.add_all(gallery_id, [face(n) for n in range(17)])
    assert (await changes_since(database, gallery_id, 40)).trimmed
    news = await changes_since(database, gallery_id, 48)
    assert [change.revision for change in news.changes] == list(range(49, 69))


async def test_a_gallery_grows_to_what_a_key_may_bring_it_to_and_no_further_however_many_add(
    additions: Additions, store: GalleryStore, gallery_id: UUID
) -> None:
    async def add(seed: int, most: int | None) -> Added | Fault:
        face = NewFace("Ann", embedding(seed), MODEL, IMAGE, max_faces=most)
        return (await additions.add_all(gallery_id, [face]))[0]

    outcomes = await asyncio.gather(*(add(seed, 3) for seed in range(6)))
    full = [outcome for outcome in outcomes if isinstance(outcome, GalleryFull)]
    assert len(full) == 3
    assert full[0].facts == {"max_faces": "3"}
    assert isinstance(await add(7, None), Added)
    assert isinstance(await add(8, 4), GalleryFull)
    for outcome in outcomes:
        if isinstance(outcome, Added):
            await store.erase_face(gallery_id, outcome.face.face_id)
    batch = [NewFace("Ann", embedding(seed), MODEL, IMAGE, max_faces=seed) for seed in (2, 9, 2, 9)]
    kinds = [type(outcome) for outcome in await additions.add_all(gallery_id, batch)]
    assert kinds == [Added, Added, GalleryFull, Added]
