"""API keys as people make, see and end them. Stored as hashes alone; `store.callers` lets them in."""

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString, NamedTuple, get_args
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from store.audit import Event, record_sync
from store.database import Connection

Scope = Literal["recognise", "enrol", "manage", "all"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FIRST = "first"  # the name of the key that a service is made with
FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")  # of a key, and of its id


class KeyTermsError(Exception):
    """What is asked of a service's keys cannot be. The message says why, for people."""


class Limits(NamedTuple):
    """What a key may do at most. None: any number."""

    rate: float | None = None  # requests a second, at each replica
    burst: int | None = None  # requests at once; by default as many as in a second
    daily_requests: int | None = None  # from midnight to midnight, UTC
    daily_images: int | None = None  # sent to embedders, likewise
    max_faces: int | None = None  # of the gallery, for the key to add another


class Listed(NamedTuple):
    """A key as people are shown it."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None  # some seconds late
    rate: float | None
    burst: int | None
    daily_requests: int | None
    daily_images: int | None
    max_faces: int | None


UNLIMITED = Limits()
_LISTED = ", ".join(Listed._fields)


def create_key(
    connection: psycopg.Connection[Any],
    service_id: UUID,
    name: str,
    scopes: Iterable[str] = ("all",),
    lifetime: timedelta | None = None,
    limits: Limits = UNLIMITED,
) -> tuple[Listed, str]:
    """Makes a key of a service, and returns it as it is listed, and itself, which cannot be had again.

    A key is a random UUID, of 122 bits. Raises KeyTermsError.
    """
    _check_name(name)
    _check_scopes(scopes)
    limits = _checked(limits)
    if lifetime is not None and not timedelta() < lifetime <= timedelta(days=36525):
        raise KeyTermsError("a key lives for more than no time, and for a hundred years at most")
    try:
        with connection.transaction():
            listed, key = _insert(connection, service_id, name, scopes, lifetime, limits)
            record_sync(connection, Event("key.created", listed.id, service_id=service_id))
    except psycopg.errors.UniqueViolation:
        raise _taken(name) from None
    except psycopg.errors.ForeignKeyViolation:
        raise KeyTermsError("there is no such service") from None
    return listed, key


def first_key(connection: psycopg.Connection[Any], service_id: UUID) -> tuple[UUID, str]:
    """Makes the key that a new service comes with, and returns its id and itself.

    The event of the service is to tell of it.
    """
    listed, key = _insert(connection, service_id, FIRST, ("all",), None, UNLIMITED)
    return listed.id, key


async def renewed_first_key(connection: Connection, service_id: UUID) -> tuple[UUID, str]:
    """Does the same for the admin service; an earlier one of that name opens nothing any more."""
    await connection.execute("DELETE FROM keys WHERE service_id = %s AND name = %s", (service_id, FIRST))
    key_id, key = uuid4(), str(uuid4())
    await connection.execute(
        "INSERT INTO keys (id, service_id, key_hash, name, scopes) VALUES (%s, %s, %s, %s, %s)",
        (key_id, service_id, hash_of(key), FIRST, ["all"]),
    )
    return key_id, key


def list_keys(connection: psycopg.Connection[Any], service_id: UUID) -> list[Listed]:
    """Those of a service, the oldest first."""
    query = f"SELECT {_LISTED} FROM keys WHERE service_id = %s ORDER BY created_at, name"
    return connection.cursor(row_factory=class_row(Listed)).execute(query, (service_id,)).fetchall()


def rename_key(connection: psycopg.Connection[Any], service_id: UUID, key: str, name: str) -> None:
    """Gives a key of a service, known by its name or its id, another name. Raises KeyTermsError."""
    _check_name(name)
    statement = "UPDATE keys SET name = %s WHERE service_id = %s AND (name = %s OR id::text = %s)"
    try:
        _change(connection, "key.renamed", service_id, key, statement, (name, service_id, key, key.lower()))
    except psycopg.errors.UniqueViolation:
        raise _taken(name) from None


def revoke_key(connection: psycopg.Connection[Any], service_id: UUID, key: str) -> None:
    """Ends a key of a service, known by its name or its id. Raises KeyTermsError.

    Once it is committed every replica refuses the key within a second, most of them within milliseconds.
    """
    statement = "DELETE FROM keys WHERE service_id = %s AND (name = %s OR id::text = %s)"
    _change(connection, "key.revoked", service_id, key, statement, (service_id, key, key.lower()))


def hash_of(key: str) -> bytes:
    """SHA-256 of a key in its canonical form: a key has too many bits to be guessed from it."""
    return hashlib.sha256(str(UUID(key)).encode()).digest()


def _insert(
    connection: psycopg.Connection[Any],
    service_id: UUID,
    name: str,
    scopes: Iterable[str],
    lifetime: timedelta | None,
    limits: Limits,
) -> tuple[Listed, str]:
    key = str(uuid4())
    statement = (
        f"INSERT INTO keys (id, service_id, key_hash, name, scopes, expires_at, {', '.join(Limits._fields)})"
        f" VALUES (%s, %s, %s, %s, %s, now() + %s, %s, %s, %s, %s, %s) RETURNING {_LISTED}"
    )
    values = (uuid4(), service_id, hash_of(key), name, sorted(set(scopes)), lifetime, *limits)
    listed = connection.cursor(row_factory=class_row(Listed)).execute(statement, values).fetchone()
    assert listed
    return listed, key


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > 50 or "\0" in name:
        raise KeyTermsError("the name of a key has 1 to 50 characters")
    if FORM.fullmatch(name):  # a name is stored and shown as it is
        raise KeyTermsError("the name of a key is a word of yours for it, not the key and not its id")


def _check_scopes(scopes: Iterable[str]) -> None:
    if not set(scopes) or set(scopes) - set(SCOPES):
        raise KeyTermsError(f"a key has one or more of the scopes {', '.join(SCOPES)}")


def _checked(limits: Limits) -> Limits:
    """With a burst, if there is a rate."""
    rate, burst, *counts = limits
    if burst is not None and rate is None:
        raise KeyTermsError("a burst needs a rate")
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise KeyTermsError("a rate is a number of requests a second, more than 0")
    if any(count is not None and not 1 <= count < 1 << 31 for count in (burst, *counts)):
        raise KeyTermsError("a limit is a whole number from 1 to 2147483647")
    return limits._replace(burst=max(1, round(rate))) if rate and burst is None else limits


def _taken(name: str) -> KeyTermsError:
    return KeyTermsError(f"the service has a key named {name!r} already; choose another name")


def _change(
    connection: psycopg.Connection[Any],
    action: str,
    service_id: UUID,
    key: str,
    statement: LiteralString,
    values: Sequence[object],
) -> None:
    with connection.transaction():
        changed = connection.execute(f"{statement} RETURNING id", values).fetchone()
        if changed is None:
            told = "of this id" if FORM.fullmatch(key) else f"named {key!r}"  # it may be the key itself
            raise KeyTermsError(f"the service has no key {told}; `mien keys list` shows which it has")
        record_sync(connection, Event(action, changed[0], service_id=service_id))
