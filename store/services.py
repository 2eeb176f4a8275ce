"""Services: what they are called and do, and the policies of their galleries."""

from collections.abc import Mapping
from typing import Any, Literal, LiteralString, NamedTuple, get_args
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from store.audit import Event, record_sync
from store.keys import first_key

ServiceType = Literal["recognition", "detection", "verification"]
TYPES: tuple[ServiceType, ...] = get_args(ServiceType)

POLICY = 0.001  # of a new service, as the schema has it


class ServiceError(Exception):
    """A service that cannot be made, or that is not there. The message says why, for people."""


class Service(NamedTuple):
    id: UUID
    name: str
    type: ServiceType
    gallery_id: UUID | None  # of a recognition service
    # Of a recognition service: the share of strangers that decisions may take for somebody.
    false_match_rate: float | None = None


class Enrolled(NamedTuple):
    """A gallery that has faces."""

    service: str
    faces: int
    model: str  # that made their embeddings


_SELECT = """
    SELECT services.id, name, type, galleries.id AS gallery_id, false_match_rate
    FROM services LEFT JOIN galleries ON service_id = services.id
"""


# Of a service of an application it is APPLICATION/NAME.
FULL_NAME = """
    coalesce((SELECT applications.name || '/' FROM applications WHERE applications.id = application_id), '')
    || services.name
"""


def create_service(connection: psycopg.Connection[Any], name: str, kind: str) -> tuple[Service, str]:
    """Makes a service, with an empty gallery if it recognises, and returns its first API key too.

    That one may do all. Raises ServiceError.
    """
    if kind not in TYPES:
        raise ServiceError(f"{kind!r} is no type of service; there are {', '.join(TYPES)}")
    if not name.strip() or len(name) > 50 or "\0" in name or "/" in name:
        raise ServiceError("the name of a service has 1 to 50 characters, none of them a slash")
    mine = (uuid4(), POLICY) if kind == "recognition" else (None, None)
    service = Service(uuid4(), name, kind, *mine)
    try:
        with connection.transaction():
            connection.execute(
                "INSERT INTO services (id, name, type) VALUES (%s, %s, %s)", (service.id, name, kind)
            )
            if service.gallery_id:
                connection.execute(
                    "INSERT INTO galleries (id, service_id) VALUES (%s, %s)", (service.gallery_id, service.id)
                )
            key_id, key = first_key(connection, service.id)
            _record(connection, "service.created", service.id, {"key": str(key_id)})
    except psycopg.errors.UniqueViolation:
        raise ServiceError(f"there is a service named {name!r} already; choose another name") from None
    return service, key


def list_services(connection: psycopg.Connection[Any]) -> list[Service]:
    """All of them, by their full names."""
    query = _SELECT.replace("name,", f"{FULL_NAME} AS name,", 1) + " ORDER BY name"
    return connection.cursor(row_factory=class_row(Service)).execute(query).fetchall()


def service_named(connection: psycopg.Connection[Any], name: str) -> Service:
    """Raises ServiceError."""
    query = f"{_SELECT} WHERE {FULL_NAME} = %s"
    service = connection.cursor(row_factory=class_row(Service)).execute(query, (name,)).fetchone()
    if service is None:
        raise ServiceError(f"there is no service named {name!r}; `mien services list` shows which there are")
    return service


def set_policy(connection: psycopg.Connection[Any], name: str, false_match_rate: float) -> None:
    """Sets how many strangers decisions of a recognition service may take for somebody: this share.

    Counts for every call that begins afterwards. Raises ServiceError.
    """
    if not 1e-5 <= false_match_rate <= 0.1:
        raise ServiceError("a false-match rate is a number from 0.00001 to 0.1")
    _change(connection, name, "false_match_rate = %s", [false_match_rate])


def enrolled_otherwise(connection: psycopg.Connection[Any], model: str) -> list[Enrolled]:
    """The galleries with faces of any other model, by the names of their services."""
    query = f"""
        SELECT {FULL_NAME} AS service, count(*) AS faces, galleries.model
        FROM galleries JOIN services ON services.id = service_id JOIN faces ON gallery_id = galleries.id
        WHERE galleries.model <> %s GROUP BY services.id, galleries.model ORDER BY service
    """
    return connection.cursor(row_factory=class_row(Enrolled)).execute(query, (model,)).fetchall()


def _change(connection: psycopg.Connection[Any], name: str, change: LiteralString, values: list[Any]) -> None:
    with connection.transaction():
        changed = connection.execute(
            f"UPDATE galleries SET {change} FROM services"
            f" WHERE services.id = service_id AND {FULL_NAME} = %s RETURNING service_id",
            (*values, name),
        ).fetchone()
        if changed is None:
            raise ServiceError(f"there is no recognition service named {name!r}")
        _record(connection, "service.changed", changed[0])


def _record(
    connection: psycopg.Connection[Any],
    action: str,
    service_id: UUID,
    details: Mapping[str, str] | None = None,
) -> None:
    record_sync(connection, Event(action, service_id, (), details or {}, service_id=service_id))
