"""Services of applications in a real Postgres: copies of galleries, names, counts of requests."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from serving.faults import GalleryFull, ServiceNotFound
from store.additions import Additions, Key, NewFace
from store.application_services import (
    OfApplication,
    add_to_application,
    clone,
    counts_of,
    delete_service,
    find_of_application,
    rename_service,
    rotate_key,
)
from store.applications import add_application, delete_application
from store.callers import find_caller
from store.database import Database
from store.gallery import GalleryStore
from store.hashing import as_text
from store.keys import hash_of
from store.rebuilding import list_galleries, rebuilt
from store.requests import add_requests, requests_of
from store.services import create_service, list_services, set_policy
from store.users import NewUser, add_user
from tests.galleries import MODEL, embedding, enrol


@pytest.fixture
async def app_id(database: Database) -> UUID:
    async with database.transaction() as connection:
        owner = await add_user(connection, NewUser("ada@example.org", "Ada", "Byron", None))
        return await add_application(connection, "home", owner.id)


async def made(database: Database, app_id: UUID, name: str, kind: str = "recognition") -> OfApplication:
    async with database.transaction() as connection:
        service_id, _ = await add_to_application(connection, app_id, name, kind)  # type: ignore[arg-type]
        return await find_of_application(connection, app_id, service_id)


async def cloned(database: Database, app_id: UUID, source: OfApplication, name: str) -> OfApplication:
    async with database.transaction() as connection:
        service_id, _ = await clone(connection, app_id, source, name)
        return await find_of_application(connection, app_id, service_id)


def content(url: str, gallery_id: UUID | None) -> list[object]:
    """All that a gallery has, but for the ids, in the order of its lists."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT name, folded, embedding, model, faces.created_at, idempotency_key, fingerprint, content"
            " FROM subjects LEFT JOIN faces ON subject_id = subjects.id"
            " LEFT JOIN images ON face_id = faces.id"
            " WHERE subjects.gallery_id = %s ORDER BY enrolled, name",
            (gallery_id,),
        ).fetchall()


async def test_a_copy_has_all_that_the_gallery_has_and_is_another(
    database: Database, database_url: str, store: GalleryStore, app_id: UUID
) -> None:
    source = await made(database, app_id, "door")
    assert source.gallery_id
    for seed, subject in enumerate(("Ada", "Bob", "Ada")):
        await enrol(store, source.gallery_id, subject, seed, image=b"image %d" % seed)
    key = Key("once", bytes(32))
    await Additions(database).add(source.gallery_id, NewFace("Eve", embedding(9), MODEL, None, key))
    await store.create_subject(source.gallery_id, "nobody yet")
    copy = await cloned(database, app_id, source, "gate")
    assert copy.gallery_id
    assert content(database_url, copy.gallery_id) == content(database_url, source.gallery_id)
    assert len(content(database_url, copy.gallery_id)) == 5
    with psycopg.connect(database_url) as connection:
        ids = "SELECT id FROM faces WHERE gallery_id = %s UNION SELECT id FROM subjects WHERE gallery_id = %s"
        of = [{*connection.execute(ids, (each, each))} for each in (copy.gallery_id, source.gallery_id)]
        assert of[0].isdisjoint(of[1])
        assert len(of[0]) == len(of[1]) == 8
        (source_revision,) = connection.execute(
            "SELECT revision FROM galleries WHERE id = %s", (source.gallery_id,)
        ).fetchone() or (0,)
    # What is erased here stays there, and the copy's feed goes on.
    await store.clear(source.gallery_id)
    assert len(content(database_url, copy.gallery_id)) == 5
    added = await enrol(store, copy.gallery_id, "Ada", 7)
    assert added.revision == source_revision + 1
    with psycopg.connect(database_url) as connection, rebuilt(connection, copy.gallery_id, hold=False) as row:
        assert row
        assert (row.revision, row.rows) == (added.revision, 5)
        assert row.hash != as_text(0)


async def test_what_is_erased_while_a_copy_is_made_is_erased_after_it(
    database: Database, store: GalleryStore, app_id: UUID
) -> None:
    source = await made(database, app_id, "door")
    assert source.gallery_id
    await enrol(store, source.gallery_id, "Ada", 1)
    async with database.transaction() as connection:
        await clone(connection, app_id, source, "gate")
        erasing = asyncio.create_task(store.erase_subject(source.gallery_id, "Ada"))
        await asyncio.sleep(0.2)
        assert not erasing.done(), "it was answered, and she lives on in a copy that nobody has seen"
    await erasing


async def test_a_copy_that_takes_long_holds_up_no_change_of_keys(
    database: Database, database_url: str, app_id: UUID
) -> None:
    source = await made(database, app_id, "door")
    with psycopg.connect(database_url) as busy, psycopg.connect(database_url, autocommit=True) as other:
        busy.execute("SELECT FROM galleries WHERE id = %s FOR UPDATE", (source.gallery_id,))
        copying = asyncio.create_task(cloned(database, app_id, source, "gate"))
        await asyncio.sleep(0.2)
        assert not copying.done()
        other.execute("SET lock_timeout = '2s'")
        other.execute("DELETE FROM keys WHERE service_id = %s", (source.id,))
        busy.rollback()
        await copying


async def test_a_copy_has_no_fewer_revisions_than_faces(
    database: Database, store: GalleryStore, app_id: UUID
) -> None:
    source = await made(database, app_id, "door")
    assert source.gallery_id
    for seed in range(3):
        await enrol(store, source.gallery_id, "Ada", seed)
    copy = await cloned(database, app_id, source, "gate")
    assert copy.gallery_id
    with pytest.raises(GalleryFull):  # faces are counted only where there are more revisions than that
        await Additions(database).add(copy.gallery_id, NewFace("Eve", embedding(9), MODEL, None, max_faces=3))


async def test_a_source_that_is_gone_cannot_be_copied(database: Database, app_id: UUID) -> None:
    source = await made(database, app_id, "door")
    async with database.transaction() as connection:
        await delete_service(connection, source.id)
    with pytest.raises(ServiceNotFound):
        await cloned(database, app_id, source, "gate")


async def test_a_copy_of_an_empty_gallery_takes_any_model(
    database: Database, store: GalleryStore, app_id: UUID
) -> None:
    copy = await cloned(database, app_id, await made(database, app_id, "door"), "gate")
    assert copy.gallery_id
    await enrol(store, copy.gallery_id, "Ada")
    async with database.transaction() as connection:
        assert await counts_of(connection, copy.gallery_id) == (1, 1)


async def test_a_name_is_unique_in_its_application_and_among_those_of_none(
    database: Database, database_url: str, app_id: UUID
) -> None:
    await made(database, app_id, "door")
    with psycopg.connect(database_url) as connection:
        create_service(connection, "door", "recognition")
        assert [each.name for each in list_services(connection)] == ["door", "home/door"]
        assert [each.name for each in list_galleries(connection)] == ["door", "home/door"]
        set_policy(connection, "home/door", 0.01)
        rates = {each.name: each.false_match_rate for each in list_services(connection)}
        assert rates == {"door": 0.001, "home/door": 0.01}


async def test_a_key_that_was_rotated_opens_nothing_and_the_new_one_the_same_gallery(
    database: Database, app_id: UUID
) -> None:
    async with database.transaction() as connection:
        service_id, old = await add_to_application(connection, app_id, "door", "recognition")
    (_, (before,)) = await find_caller(database, hash_of(old), "recognition")
    async with database.transaction() as connection:
        new = await rotate_key(connection, service_id)
    assert not (await find_caller(database, hash_of(old), "recognition")).callers
    (_, (after,)) = await find_caller(database, hash_of(new), "recognition")
    assert (after.service_id, after.gallery_id) == (service_id, before.gallery_id)


async def test_an_application_goes_with_all_that_it_has(
    database: Database, database_url: str, store: GalleryStore, app_id: UUID
) -> None:
    service = await made(database, app_id, "door")
    assert service.gallery_id
    await enrol(store, service.gallery_id, "Ada")
    async with database.transaction() as connection:
        await add_requests(connection, {(service.id, date(2026, 1, 1)): 3})
        await delete_application(connection, app_id)
    with psycopg.connect(database_url) as connection:
        for table in ("services", "galleries", "subjects", "faces", "images", "members", "requests"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_requests_add_up_by_the_day_and_old_ones_are_not_told(database: Database, app_id: UUID) -> None:
    service, gone = await made(database, app_id, "door"), uuid4()
    today = datetime.now(UTC).date()
    long_ago = today - timedelta(days=200)
    for _ in range(2):
        async with database.transaction() as connection:
            counted = {(service.id, today): 2, (gone, today): 9, (service.id, long_ago): 1}
            counted[service.id, today - timedelta(days=1)] = 5
            await add_requests(connection, counted)
    async with database.transaction() as connection:
        told = [(each.day, each.requests) for each in await requests_of(connection, service.id)]
    assert told == [(today, 4), (today - timedelta(days=1), 10)]


async def test_a_service_of_another_application_is_not_there(database: Database, app_id: UUID) -> None:
    service = await made(database, app_id, "door", "detection")
    async with database.transaction() as connection:
        with pytest.raises(ServiceNotFound):
            await find_of_application(connection, uuid4(), service.id)
        await rename_service(connection, service.id, "gate")
        assert (await find_of_application(connection, app_id, service.id)).name == "gate"
        await delete_service(connection, service.id)
        with pytest.raises(ServiceNotFound):
            await find_of_application(connection, app_id, service.id)
