"""A gallery's state rebuilt from its rows, to compare replicas with."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from store.hashing import as_text, sum_of
from store.keys import KeyTermsError, create_key, revoke_key
from store.services import FULL_NAME

_TOGETHER = 4096  # rows fetched at once
_LIFETIME = timedelta(minutes=10)  # a gallery of millions takes minutes to load and to hash


class Named(NamedTuple):
    """A gallery, by the name of its service."""

    id: UUID
    service_id: UUID
    name: str
    revision: int
    faces: int
    model: str | None  # None while it has no face
    home: str  # memory, or database
    moving_to: str | None  # None: it stays where it is


class Rebuilt(NamedTuple):
    """What Postgres has of a gallery at a revision."""

    revision: int
    rows: int
    hash: str


def list_galleries(connection: psycopg.Connection[Any]) -> list[Named]:
    """All of them, by the names of their services."""
    query = f"""
        SELECT galleries.id, service_id, {FULL_NAME} AS name, revision, model,
               CASE WHEN home IN ('memory', 'database') THEN home
                    WHEN home = 'filling' OR wanted_home = 'database' THEN 'memory'
                    ELSE 'database' END AS home,
               CASE WHEN home <> wanted_home AND dimension IS NOT NULL THEN wanted_home END AS moving_to,
               (SELECT count(*) FROM faces WHERE gallery_id = galleries.id) AS faces
        FROM galleries JOIN services ON services.id = service_id ORDER BY name
    """
    return connection.cursor(row_factory=class_row(Named)).execute(query).fetchall()


@contextmanager
def rebuilt(connection: psycopg.Connection[Any], gallery_id: UUID, hold: bool) -> Iterator[Rebuilt | None]:
    """The gallery as one snapshot has it; None if it is gone. With `hold`, writers wait inside the block."""
    with connection.transaction():
        # Who holds the gallery's row sees it at rest; the snapshot of the other begins before it is held.
        level, locking = ("READ COMMITTED", "FOR UPDATE") if hold else ("REPEATABLE READ", "")
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        row = connection.execute(
            f"SELECT revision FROM galleries WHERE id = %s {locking}",
            (gallery_id,),
        ).fetchone()
        yield row and _read(connection, gallery_id, row[0])


def _read(connection: psycopg.Connection[Any], gallery_id: UUID, revision: int) -> Rebuilt:
    rows = total = 0
    with connection.cursor("faces", binary=True) as cursor:
        cursor.execute(
            "SELECT uuid_send(faces.id) || uuid_send(subject_id) || embedding || convert_to(name, 'UTF8')"
            " FROM faces JOIN subjects ON subjects.id = subject_id WHERE faces.gallery_id = %s",
            (gallery_id,),
        )
        while faces := cursor.fetchmany(_TOGETHER):
            total = sum_of((face for (face,) in faces), total)
            rows += len(faces)
    return Rebuilt(revision, rows, as_text(total))


@contextmanager
def passing(connection: psycopg.Connection[Any], service_id: UUID) -> Iterator[str]:
    """A key that opens the service inside the block: its others are not stored.

    Who can make one can read all the service has in the database anyway.
    """
    name = f"verify {uuid4().hex}"
    _, key = create_key(connection, service_id, name, ["manage"], _LIFETIME)
    try:
        yield key
    finally:
        with suppress(KeyTermsError):  # the service may have gone meanwhile
            revoke_key(connection, service_id, name)
