"""Connections to a Postgres that goes away and comes back."""

import asyncio
import time
from uuid import UUID

import psycopg
import pytest

from serving.faults import Overloaded, StoreUnavailable
from store.database import CONNECTIONS, Database
from store.gallery import GalleryStore
from store.revisions import newest
from tests.galleries import enrol
from tests.postgres import Server

BACK_WITHIN = 5.0  # seconds


async def test_a_database_that_is_away_is_said_to_be_unavailable() -> None:
    async with Database("postgresql://127.0.0.1:1/nowhere") as database:
        with pytest.raises(StoreUnavailable):
            await newest(database, UUID(int=0))


async def use_every_connection(database: Database) -> None:
    async def use() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_sleep(0.2)")

    await asyncio.gather(*(use() for _ in range(CONNECTIONS)))


async def test_after_postgres_was_killed_a_lone_caller_is_served_within_seconds(
    store: GalleryStore, gallery_id: UUID, database: Database, postgres: Server
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann")
    await use_every_connection(database)  # so that all of them are broken afterwards
    postgres.kill()
    killed = time.monotonic()
    while True:
        try:
            page = await store.list_faces(gallery_id, None, limit=9)
            break
        except StoreUnavailable:
            assert time.monotonic() - killed < BACK_WITHIN
    assert time.monotonic() - killed < BACK_WITHIN
    assert page.faces == [face]


async def test_idle_connections_that_were_cut_cost_no_call(
    gallery_id: UUID, database: Database, database_url: str
) -> None:
    await use_every_connection(database)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for _ in range(CONNECTIONS):
        assert (await newest(database, gallery_id)).revision == 0


async def test_a_write_that_was_cut_is_not_half_done(
    store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute("UPDATE galleries SET revision = 7")
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreUnavailable):
        await write()
    assert (await newest(database, gallery_id)).revision == 0


async def test_callers_beyond_the_queue_are_refused_at_once(
    gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.WAITING", CONNECTIONS)
    async with Database(database_url) as database:
        await use_every_connection(database)
        busy = [asyncio.create_task(use_every_connection(database)) for _ in range(2)]
        await asyncio.sleep(0.05)
        asked = time.monotonic()
        with pytest.raises(Overloaded):
            await newest(database, gallery_id)
        assert time.monotonic() - asked < 0.1
        await asyncio.gather(*busy)


async def test_migrated_waits_for_the_schema(bare_url: str, database_url: str) -> None:
    async with Database(bare_url) as bare:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bare.migrated(), 0.5)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE migrations SET name = 'another ' || name")
    async with Database(database_url) as database:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(database.migrated(), 0.5)
