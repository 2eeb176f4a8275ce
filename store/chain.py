"""The audit log as a chain: linked, read, verified, cut off at its old end."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from serving.faults import Overloaded, StoreUnavailable
from store.database import Database

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds
_TOGETHER = 1000  # as the function of the schema has it
_PAGE = 2000  # rows fetched at once
FIRST = bytes(32)  # what the first event has for the hash of the one before


class ChainError(Exception):
    """The log is not what was written. The message says where."""


class Link(NamedTuple):
    """An event in the chain."""

    number: int
    id: UUID
    at: datetime
    actor: str
    actor_id: UUID | None
    origin: str | None
    action: str
    object: str
    object_id: UUID | None
    service_id: UUID | None
    subjects: list[UUID]
    result: str
    details: dict[str, int | str]
    previous: bytes
    hash: bytes

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **self._asdict(),
            "id": str(self.id),
            "at": self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "actor_id": self.actor_id and str(self.actor_id),
            "object_id": self.object_id and str(self.object_id),
            "service_id": self.service_id and str(self.service_id),
            "subjects": [str(each) for each in self.subjects],
            "previous": self.previous.hex(),
            "hash": self.hash.hex(),
        }


class Head(NamedTuple):
    """The newest event: who keeps it elsewhere can tell later that nothing up to it was changed."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


class Verified(NamedTuple):
    first: int  # number; 0 of an empty log
    events: int
    head: Head


async def seal(database: Database) -> int:
    """Links committed events into the chain, 1000 at most, and returns how many. Raises StoreUnavailable."""
    async with database.statement() as connection:
        row = await (await connection.execute("SELECT seal_audit()")).fetchone()
    return row[0] if row else 0


async def sealing(database: Database) -> None:
    """Links every second what has been committed, until cancelled. Any number of processes may."""
    while True:
        try:
            while await seal(database) == _TOGETHER:
                pass
        except (StoreUnavailable, Overloaded, psycopg.Error) as error:
            log.debug("events wait where they were written: %s", error)  # for the schema, maybe
        await asyncio.sleep(EVERY)


async def trim(database: Database, before: datetime) -> int:
    """Removes old events, 10,000 at most, and returns how many. Raises StoreUnavailable."""
    async with database.statement() as connection:
        row = await (await connection.execute("SELECT trim_audit(%s)", (before,))).fetchone()
    return row[0] if row else 0


def seal_all(connection: psycopg.Connection[Any]) -> None:
    """The same at a terminal, for all there are. The connection commits each statement by itself."""
    while (connection.execute("SELECT seal_audit()").fetchone() or (0,))[0] == _TOGETHER:
        pass


def read(
    connection: psycopg.Connection[Any],
    where: str = "true",
    parameters: Mapping[str, object] | None = None,
    last: int | None = None,
) -> Iterator[Link]:
    """Events in their order, a page in memory at a time; of those that fit only the `last` so many."""
    newest = f"SELECT * FROM audit WHERE {where} ORDER BY number DESC LIMIT %(last)s"
    with connection.transaction(), connection.cursor("audit", row_factory=class_row(Link)) as cursor:
        cursor.itersize = _PAGE
        cursor.execute(
            f"SELECT * FROM ({newest}) AS newest ORDER BY number", {**(parameters or {}), "last": last}
        )
        yield from cursor


def verify(connection: psycopg.Connection[Any], known: Head | None = None) -> Verified:
    """Computes every hash anew. `known` is a head of earlier, to be there still. Raises ChainError."""
    first = events = 0
    number, previous, begins_at = 0, FIRST, None
    for link in read(connection):
        if not events:
            first, number, previous = link.number, link.number - 1, link.previous
            begins_at = Head(number, previous)
        if link.number != number + 1:
            raise ChainError(f"after event {number} comes {link.number}: what was between is gone")
        if link.previous != previous or link.hash != hash_of(link):
            raise ChainError(f"event {link.number} is not as it was written")
        if link.action == "audit.trimmed":
            trimmed = Head(int(link.details["through"]), bytes.fromhex(str(link.details["hash"])))
            begins_at = None if trimmed == begins_at else begins_at
        if known and link.number == known.number:
            if link.hash != known.hash:
                raise ChainError(f"event {link.number} had another hash: the log was written anew")
            known = None
        number, previous, events = link.number, link.hash, events + 1
    if begins_at not in (None, Head(0, FIRST)):
        raise ChainError(f"the log begins with event {first}, and no event tells of the trimming before it")
    if known and not (events and known.number < first):
        raise ChainError(f"there is no event {known.number} any more: the log was cut off at its end")
    return Verified(first, events, Head(number, previous))


def hash_of(link: Link) -> bytes:
    """SHA-256 of the hash before, and of the event as JSON, as the schema's audit_entry writes it."""
    told = link.told()
    details = dict(sorted(link.details.items(), key=lambda item: (len(item[0].encode()), item[0].encode())))
    entry = [*(value for name, value in told.items() if name not in ("details", "previous", "hash")), details]
    return hashlib.sha256(link.previous + json.dumps(entry, ensure_ascii=False).encode()).digest()
