"""The follower, against a real Postgres whose connections are cut."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from store.database import Database
from store.follower import POLL, Follower
from store.gallery import GalleryStore
from store.revisions import changes_since
from tests.galleries import enrol, new_gallery
from tests.postgres import Server


class Reader:
    """Knows the revision of one gallery, as far as it was woken."""

    def __init__(self, database: Database, gallery_id: UUID) -> None:
        self._database = database
        self._gallery_id = gallery_id
        self.woken_by: list[UUID | None] = []
        self.revision = 0

    async def catch_up(self, gallery_id: UUID | None) -> None:
        self.woken_by.append(gallery_id)
        news = await changes_since(self._database, self._gallery_id, self.revision)
        self.revision = news.gallery.revision

    async def reached(self, revision: int, within: float) -> None:
        async with asyncio.timeout(within):
            while self.revision < revision:
                await asyncio.sleep(0.005)


@pytest.fixture
async def reader(database: Database, gallery_id: UUID) -> AsyncIterator[Reader]:
    reader = Reader(database, gallery_id)
    following = asyncio.create_task(Follower(database, reader.catch_up).run())
    async with asyncio.timeout(5):
        while not reader.woken_by:
            await asyncio.sleep(0.005)
    yield reader
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following


def cut_all_but(url: str, keep: str = "") -> None:
    """Ends every connection to the database, or those that listen alone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~* %s",
            (keep,),
        )


async def test_a_notification_wakes_the_reader_of_its_gallery_at_once(
    reader: Reader, store: GalleryStore, gallery_id: UUID
) -> None:
    _, revision = await enrol(store, gallery_id, "Ann")
    await reader.reached(revision, within=POLL / 4)
    assert gallery_id in reader.woken_by


async def test_a_gallery_is_named_when_another_one_changes(
    reader: Reader, store: GalleryStore, database_url: str
) -> None:
    other = new_gallery(database_url)
    await enrol(store, other, "Ann")
    async with asyncio.timeout(POLL / 4):
        while other not in reader.woken_by:
            await asyncio.sleep(0.005)


async def test_a_lost_connection_costs_no_change(
    reader: Reader, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for turn in range(3):
        cut_all_but(database_url, "LISTEN")
        _, revision = await enrol(store, gallery_id, "Ann", turn)
    await reader.reached(revision, within=3 * POLL)


async def test_what_nobody_was_notified_of_is_found_by_polling(
    reader: Reader, gallery_id: UUID, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE galleries SET revision = 1")
    await reader.reached(1, within=2 * POLL)


async def test_it_follows_again_after_postgres_was_killed(
    reader: Reader, store: GalleryStore, gallery_id: UUID, postgres: Server
) -> None:
    postgres.kill()
    await asyncio.to_thread(postgres.wait)
    _, revision = await enrol(store, gallery_id, "Ann")
    await reader.reached(revision, within=5)
