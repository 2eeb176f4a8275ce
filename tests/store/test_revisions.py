"""The change log, read while others write."""

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest

from serving.faults import ApiKeyUnknown
from store.database import Database
from store.gallery import GalleryStore
from store.loading import Faces, load
from store.revisions import Change, changes_since, lock_gallery, log_change, newest, revisions_of, trim
from tests.galleries import embedding, enrol, new_gallery


async def test_changes_come_in_order_with_the_rows_they_added(
    store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    one, _ = await enrol(store, gallery_id, "Ann", 1)
    two, _ = await enrol(store, gallery_id, "Ben", 2)
    await store.erase_face(gallery_id, one.face_id)
    news = await changes_since(database, gallery_id, 0)
    assert not news.trimmed
    assert news.gallery.revision == 3
    added, erased = news.changes  # that `one` was added is forgotten with it
    assert (added.revision, added.kind, added.id) == (2, "face added", two.face_id)
    assert added.face
    assert (added.face.subject, added.face.embedding) == ("Ben", embedding(2))
    assert erased == Change(3, "face erased", one.face_id, None)
    assert (await changes_since(database, gallery_id, 3)).changes == []


async def test_nothing_is_skipped_when_a_slow_transaction_commits_late(
    store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    """The slow writer takes its revision first and commits last, among eight others."""
    over = asyncio.Event()
    seen: list[Change] = []

    async def read() -> None:
        revision = 0
        while True:
            last = over.is_set()
            news = await changes_since(database, gallery_id, revision)
            seen.extend(news.changes)
            revision = news.gallery.revision
            if last:
                return

    async def write_slowly() -> None:
        for _ in range(3):
            async with database.transaction() as connection:
                gallery = await lock_gallery(connection, gallery_id)
                await log_change(connection, gallery, "face erased", uuid4())
                await asyncio.sleep(0.15)

    async def write() -> None:
        for turn in range(10):
            await enrol(store, gallery_id, "Ann", turn)

    reading = asyncio.create_task(read())
    slow = asyncio.create_task(write_slowly())
    await asyncio.sleep(0.05)
    await asyncio.gather(slow, *(write() for _ in range(8)))
    over.set()
    await reading
    assert [change.revision for change in seen] == list(range(1, 84))


async def test_who_is_further_behind_than_the_log_is_told_to_load(
    store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    for turn in range(5):
        await enrol(store, gallery_id, "Ann", turn)
    async with database.transaction() as connection:
        await trim(connection, await newest(database, gallery_id), kept=2)
    assert (await changes_since(database, gallery_id, 2)).trimmed
    news = await changes_since(database, gallery_id, 3)
    assert not news.trimmed
    assert [change.revision for change in news.changes] == [4, 5]


async def test_the_log_keeps_its_length(
    gallery_id: UUID, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.revisions.KEPT", 20)
    monkeypatch.setattr("store.revisions._TRIM_EVERY", 10)
    for _ in range(60):
        async with database.transaction() as connection:
            await log_change(connection, await lock_gallery(connection, gallery_id), "cleared", None)
    with psycopg.connect(database_url) as connection:
        (kept,) = connection.execute("SELECT count(*), min(revision) FROM changes").fetchall()
    assert kept == (20, 41)


async def test_who_knows_a_later_state_than_the_database_is_told_to_load(
    store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    """As after the database was put back to an older state."""
    await enrol(store, gallery_id, "Ann")
    assert (await changes_since(database, gallery_id, 2)).trimmed


async def test_a_gallery_that_is_gone_says_so(
    gallery_id: UUID, database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM services")
    for read in (newest(database, gallery_id), changes_since(database, gallery_id, 0)):
        with pytest.raises(ApiKeyUnknown):
            await read
    assert await revisions_of(database, [gallery_id]) == {}


async def test_a_whole_gallery_is_read_in_pages_of_one_snapshot(
    store: GalleryStore, gallery_id: UUID, database: Database, database_url: str
) -> None:
    await enrol(store, new_gallery(database_url), "of another gallery")
    enrolled = [(await enrol(store, gallery_id, f"subject {turn % 3}", turn))[0] for turn in range(7)]
    pages: list[Faces] = []

    async def take(faces: Faces) -> None:
        pages.append(faces)
        await enrol(store, gallery_id, "too late")

    gallery = await load(database, gallery_id, take, page=3)
    assert gallery.revision == 7
    records = [
        page.packed[at : at + 64]
        for page in pages
        for at in range(0, len(page.packed), 32 + 4 * page.dimension)
    ]
    assert [UUID(bytes=record[:16]) for record in records] == [face.face_id for face in enrolled]
    assert [record[32:] for record in records] == [embedding(turn) for turn in range(7)]
    names = {key: name for page in pages for key, name in page.names.items()}
    assert [names[UUID(bytes=record[16:32])] for record in records] == [face.subject for face in enrolled]


async def test_an_empty_gallery_is_loaded_too(gallery_id: UUID, database: Database) -> None:
    async def take(faces: Faces) -> None:
        raise AssertionError("there is no face")

    assert (await load(database, gallery_id, take)).revision == 0
