"""Whom keys let in, and what is left of their quotas, in a real Postgres."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from store.callers import Caller, find_caller, newest_callers, note_uses, revision_of_keys, take
from store.database import Database
from store.follower import POLL, Follower
from store.keys import Limits, create_key, hash_of, list_keys, rename_key, revoke_key
from store.services import Service
from tests.galleries import new_service


@pytest.fixture
def service(database_url: str) -> Service:
    return new_service(database_url)[0]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


async def found(database: Database, key: str, kind: str = "recognition") -> Caller | None:
    _, callers = await find_caller(database, hash_of(key), kind)
    return callers[0] if callers else None


async def test_a_key_lets_in_to_its_service_within_its_terms(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    limits = Limits(2.0, 4, 100, 50, 7)
    made, key = create_key(connection, service.id, "door", ["recognise"], timedelta(hours=1), limits)
    caller = await found(database, key)
    assert caller
    assert caller[:6] == (
        *(hash_of(key), made.id, service.id, "recognition", service.gallery_id),
        ["recognise"],
    )
    assert caller.seconds_left == pytest.approx(3600, abs=5)
    assert caller.limits == limits
    assert caller.may("recognise")
    assert not caller.may("manage")


async def test_what_opens_nothing_is_one_answer_whatever_it_is(
    database: Database, database_url: str, service: Service, connection: psycopg.Connection[Any]
) -> None:
    late, expired = create_key(connection, service.id, "late", lifetime=timedelta(hours=1))
    connection.execute("UPDATE keys SET expires_at = now() WHERE id = %s", (late.id,))
    _, revoked = create_key(connection, service.id, "gone")
    revoke_key(connection, service.id, "gone")
    _, other = new_service(database_url, "detection")
    for key in (str(uuid4()), expired, revoked, other):
        assert await find_caller(database, hash_of(key), "recognition") == (
            await revision_of_keys(database),
            [],
        )
    assert await found(database, other, "detection")


async def test_every_change_of_a_key_is_a_revision_and_its_use_is_none(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    before = await revision_of_keys(database)
    made, key = create_key(connection, service.id, "door", limits=Limits(daily_requests=9))
    assert await revision_of_keys(database) == before + 1
    connection.execute("UPDATE keys SET scopes = '{enrol}' WHERE id = %s", (made.id,))
    assert (await find_caller(database, hash_of(key), "recognition")).revision == before + 2
    rename_key(connection, service.id, "door", "gate")
    await note_uses(database, {made.id: 0.0})
    assert (await take(database, made.id, "requests", 3)).amount == 3
    assert await revision_of_keys(database) == before + 2
    connection.execute("DELETE FROM services WHERE id = %s", (service.id,))
    assert await newest_callers(database, 10) == (before + 3, [])


async def test_a_change_is_notified(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    heard = asyncio.Event()

    async def nothing(gallery_id: UUID | None) -> None: ...

    following = asyncio.create_task(Follower(database, nothing, heard.set).run())
    async with asyncio.timeout(5):
        await heard.wait()  # when it connects
    heard.clear()
    await asyncio.to_thread(revoke_key, connection, service.id, "first")
    async with asyncio.timeout(POLL / 2):
        await heard.wait()
    following.cancel()


async def test_those_used_or_made_last_are_read_first(
    database: Database, database_url: str, service: Service, connection: psycopg.Connection[Any]
) -> None:
    (first,) = list_keys(connection, service.id)
    newest, _ = create_key(connection, service.id, "newest")
    await note_uses(database, {first.id: -60.0, newest.id: 90.0})  # that one was made a moment ago
    _, callers = await newest_callers(database, 1)
    assert [caller.key_id for caller in callers] == [first.id]


async def test_the_last_use_never_goes_back(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    (key,) = list_keys(connection, service.id)
    await note_uses(database, {key.id: 5.0, uuid4(): 5.0})
    (first,) = list_keys(connection, service.id)
    await note_uses(database, {key.id: 500.0})
    assert list_keys(connection, service.id) == [first]
    assert first.last_used_at


async def test_no_more_of_a_quota_is_taken_than_there_is_however_many_take(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    key, _ = create_key(connection, service.id, "door", limits=Limits(daily_requests=50, daily_images=5))
    parts = await asyncio.gather(*(take(database, key.id, "requests", 7) for _ in range(12)))
    assert sorted(part.amount for part in parts) == [*[0] * 4, 1, *[7] * 7]
    assert all(0 < part.seconds_left <= 86400 for part in parts)
    assert (await take(database, key.id, "images", 7)).amount == 5
    assert (await take(database, uuid4(), "images", 7)).amount == 0


async def test_a_new_day_has_its_own_quota_and_an_old_one_does_not_come_back(
    database: Database, service: Service, connection: psycopg.Connection[Any]
) -> None:
    key, _ = create_key(connection, service.id, "door", limits=Limits(daily_requests=5, daily_images=5))
    for quota in ("requests", "images"):
        assert (await take(database, key.id, quota, 5)).amount == 5
    connection.execute("UPDATE keys SET day = day - 1 WHERE id = %s", (key.id,))
    assert (await take(database, key.id, "requests", 9)).amount == 5
    assert (await take(database, key.id, "images", 9)).amount == 5
    # As another clock would have it, that is ahead.
    connection.execute("UPDATE keys SET day = day + 1 WHERE id = %s", (key.id,))
    part = await take(database, key.id, "requests", 9)
    assert part.amount == 0
    assert part.seconds_left > 86400
