"""`mien audit`: reads, exports and verifies the audit log, whether the mesh runs or not."""

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from mien.cli.database import in_database
from mien.cli.plainly import CommandError
from store.audit import ACTIONS, Event, record_sync
from store.chain import Head, Link, Verified, read, seal_all
from store.chain import verify as verified
from store.services import FULL_NAME


def show(
    last: int, action: str | None, about: UUID | None, service: str | None, data: Path | None, as_json: bool
) -> None:
    """Prints a line for each event. Raises CommandError if there is no such action."""
    if action and action not in ACTIONS:
        raise CommandError(f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
    where = {
        "action = %(action)s": action,
        "(%(about)s IN (id, object_id, actor_id, service_id) OR subjects @> ARRAY[%(about)s::uuid])": about,
        f"service_id IN (SELECT id FROM services WHERE {FULL_NAME} = %(service)s)": service,
    }
    clauses = [clause for clause, value in where.items() if value is not None] or ["true"]
    parameters = {"action": action, "about": about, "service": service}

    def events(connection: psycopg.Connection[Any]) -> list[Link]:
        seal_all(connection)
        return list(read(connection, " AND ".join(clauses), parameters, last))

    for each in in_database(data, events):
        print(json.dumps(each.told()) if as_json else _line(each))


def export(to: Path | None, since: datetime | None, data: Path | None) -> None:
    """Writes JSON lines, and into the log that it did."""

    def write(connection: psycopg.Connection[Any]) -> int:
        record_sync(connection, Event("audit.exported"))
        seal_all(connection)
        begin = since.replace(tzinfo=since.tzinfo or UTC) if since else None
        events = read(connection, "at >= %(since)s" if begin else "true", {"since": begin})
        with to.open("w") if to else nullcontext(sys.stdout) as file:
            return sum(1 for each in events if file.write(json.dumps(each.told()) + "\n"))

    try:
        count = in_database(data, write)
    except OSError as error:
        raise CommandError(f"{to} cannot be written: {error.strerror}") from None
    if to:
        print(f"{count} events are in {to}")


def verify(head: str | None, data: Path | None) -> None:
    """Prints what there is. Raises CommandError, and ChainError if it is not as it was written."""
    known = _head(head) if head else None

    def check(connection: psycopg.Connection[Any]) -> Verified:
        seal_all(connection)
        return verified(connection, known)

    found = in_database(data, check)
    print(f"{found.events} events, as they were written; the first is {found.first}, and the head")
    print(found.head)


def _head(text: str) -> Head:
    number, _, hash_ = text.partition(":")
    try:
        head = Head(int(number), bytes.fromhex(hash_))
    except ValueError:
        head = Head(0, b"")
    if len(head.hash) != 32:
        raise CommandError("a head is NUMBER:HASH, as `mien audit verify` printed it")
    return head


def _line(event: Link) -> str:
    who = " ".join(str(each) for each in (event.actor, event.actor_id, event.origin) if each)
    what = f"{event.action} {event.object_id or ''}".rstrip()
    told = " ".join(f"{name}={value}" for name, value in event.details.items())
    at = event.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{event.number}  {at}  {who}  {what}  {event.result}  {told}".rstrip()
