"""The audit log, in a real Postgres."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from store.attempts import ORIGINS, Attempts
from store.audit import ACTIONS, COMMAND, Actor, Event, act_as, record, record_sync
from store.chain import ChainError, Head, Link, read, seal, seal_all, trim, verify
from store.database import Database

KEY = Actor("key", uuid4(), "203.0.113.7", uuid4())
Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(database_url: str) -> Any:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def five(connection: Connection) -> list[Link]:
    """Five events, linked."""
    for number in range(5):
        told = {"faces": number, "reason": 'it\'s "é"\\\n\x7f', "i": 1}
        record_sync(connection, Event("faces.added", uuid4(), [uuid4()], told, actor=KEY))
    seal_all(connection)
    return list(read(connection))


def tamper(connection: Connection, statement: str) -> None:
    """As one may who owns the database."""
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")  # no trigger fires
        connection.execute(statement)  # type: ignore[arg-type]


def test_an_event_says_who_did_what_from_where(connection: Connection) -> None:
    face, subject = uuid4(), uuid4()
    id_ = record_sync(connection, Event("face.erased", face, [subject], {"revision": 3}, actor=KEY))
    record_sync(connection, Event("service.created", service_id=face, actor=COMMAND))
    assert list(read(connection)) == []  # not before it is linked
    seal_all(connection)
    one, two = read(connection)
    assert (one.number, one.id, one.actor, one.actor_id, one.origin) == (1, id_, *KEY[:3])
    assert (one.action, one.object, one.object_id, one.service_id) == ("face.erased", "face", face, KEY[3])
    assert (one.subjects, one.result, one.details) == ([subject], "ok", {"revision": 3})
    assert abs(datetime.now(UTC) - one.at) < timedelta(minutes=1)
    assert (two.actor, two.actor_id, two.service_id) == ("command", None, face)
    assert verify(connection).events == 2


async def test_who_acts_is_known_to_the_task_that_was_told(
    database: Database, connection: Connection
) -> None:
    async def write(actor: Actor) -> None:
        act_as(actor)
        await asyncio.sleep(0)
        async with database.transaction() as async_connection:
            await record(async_connection, Event("subject.created"))

    actors = [Actor("key", uuid4()) for _ in range(20)]
    await asyncio.gather(*(asyncio.create_task(write(each)) for each in actors))
    seal_all(connection)
    assert {each.actor_id for each in read(connection)} == {each.id for each in actors}


async def test_writers_at_once_and_linkers_at_once_make_one_chain_without_gaps(
    database: Database, connection: Connection
) -> None:
    async def write(number: int) -> None:
        async with database.transaction() as async_connection:
            await record(async_connection, Event("faces.added", details={"faces": number}))
            await asyncio.sleep(0.001 * (number % 3))
            if number % 10 == 0:
                await async_connection.rollback()

    for start in range(0, 100, 25):
        await asyncio.gather(
            *(write(number) for number in range(start, start + 25)), *(seal(database) for _ in range(4))
        )
    seal_all(connection)
    assert verify(connection)[:2] == (1, 90)
    assert [each.number for each in read(connection)] == list(range(1, 91))


@pytest.mark.parametrize("table", ["audit", "audit_inbox"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET result = 'ok'", "DELETE FROM {}", "TRUNCATE {}"])
def test_nothing_is_changed_or_removed(
    connection: Connection, five: list[Link], table: str, statement: str
) -> None:
    record_sync(connection, Event("gallery.cleared"))
    with pytest.raises(psycopg.errors.RaiseException, match="neither changed nor removed"):
        connection.execute(statement.format(table))
    assert list(read(connection)) == five


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit SET result = 'NO_FACE' WHERE number = 3", "event 3 is not as it was written"),
        ("UPDATE audit SET at = at + interval '1 us' WHERE number = 1", "event 1 is not"),
        ("UPDATE audit SET subjects = '{}' WHERE number = 5", "event 5 is not"),
        ("UPDATE audit SET details = details || '{\"faces\": 9}' WHERE number = 2", "event 2 is not"),
        ("UPDATE audit SET hash = previous WHERE number = 5", "event 5 is not"),
        ("DELETE FROM audit WHERE number = 2", "after event 1 comes 3"),
        ("DELETE FROM audit WHERE number = 1", "begins with event 2, and no event tells"),
        ("DELETE FROM audit WHERE number = 5", "there is no event 5"),
        ("DELETE FROM audit", "there is no event 5"),
    ],
)
def test_what_is_done_behind_its_back_is_found(
    connection: Connection, five: list[Link], statement: str, told: str
) -> None:
    head = verify(connection).head
    assert head == Head(5, five[-1].hash)
    tamper(connection, statement)
    with pytest.raises(ChainError, match=told):
        verify(connection, head)


def test_a_log_that_was_written_anew_has_another_head(connection: Connection, five: list[Link]) -> None:
    head = verify(connection).head
    tamper(connection, "DELETE FROM audit")
    for _ in range(6):
        record_sync(connection, Event("gallery.cleared"))
    seal_all(connection)
    assert verify(connection).events == 6
    with pytest.raises(ChainError, match="event 5 had another hash"):
        verify(connection, head)


async def test_old_events_go_and_the_rest_is_still_verified(
    connection: Connection, database: Database, five: list[Link]
) -> None:
    head = verify(connection).head
    assert await trim(database, five[2].at) == 2
    assert await trim(database, five[2].at) == 0
    seal_all(connection)
    *rest, trimmed = read(connection)
    assert rest == five[2:]
    assert (trimmed.action, trimmed.actor) == ("audit.trimmed", "mien")
    assert trimmed.details == {"through": 2, "hash": five[1].hash.hex(), "removed": 2}
    assert verify(connection, head) == (3, 4, Head(6, trimmed.hash))
    tamper(connection, "DELETE FROM audit WHERE number = 3")
    with pytest.raises(ChainError, match="begins with event 4"):
        verify(connection)


async def test_the_newest_event_stays_since_the_chain_goes_on_from_it(
    connection: Connection, database: Database, five: list[Link]
) -> None:
    assert await trim(database, datetime.now(UTC) + timedelta(days=1)) == 4
    assert await trim(database, datetime.now(UTC) - timedelta(days=1)) == 0
    seal_all(connection)
    assert verify(connection)[:2] == (5, 2)


async def test_a_flood_of_refusals_is_a_few_events(database: Database, connection: Connection) -> None:
    attempts, service = Attempts(database), uuid4()
    for number in range(1000):
        attempts.note("key.refused", "API_KEY_UNKNOWN", f"203.0.113.{number % 200}", service)
    await attempts.write()
    await attempts.write()
    seal_all(connection)
    told = list(read(connection))
    assert len(told) == ORIGINS + 1
    assert sum(int(each.details["attempts"]) for each in told) == 1000
    assert {each.origin for each in told} == {f"203.0.113.{n}" for n in range(ORIGINS)} | {None}
    assert {(each.actor, each.result) for each in told} == {("nobody", "API_KEY_UNKNOWN")}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event._replace(details={"name": "x" * 1000}),
        lambda event: event._replace(result="no reason at all"),
        lambda event: event._replace(actor=Actor("key", None, "no address")),
    ],
)
def test_what_does_not_belong_into_the_log_is_refused(
    connection: Connection, spoil: Callable[[Event], Event]
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        record_sync(connection, spoil(Event("subject.created", UUID(int=0))))


def test_every_action_is_a_noun_and_a_verb() -> None:
    assert all(action.count(".") == 1 for action in ACTIONS)
