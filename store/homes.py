"""Where galleries are searched, in the memory of classifiers or in Postgres, and how they move.

Each step is one transaction that holds the gallery, so it is before or after every write of it.
"""

from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from store.audit import Event, record, record_sync
from store.database import Connection
from store.revisions import CHANNEL, Home, Place, hold_gallery, there
from store.services import FULL_NAME, ServiceError
from store.vectors import drop_table, make_table, table

GRACE = 600  # seconds in which classifiers can load a gallery that comes back to memory


class Placed(NamedTuple):
    """Where a gallery is, and where it is to be."""

    id: UUID
    home: Home
    wanted_home: Place
    indexed: bool
    faces: int
    dimension: int | None

    @property
    def now(self) -> Place:
        """Where it is on its way from, or is."""
        if self.home == "both":
            return "database" if self.wanted_home == "memory" else "memory"
        return "database" if self.home == "database" else "memory"

    @property
    def moving_to(self) -> Place | None:
        """None: it stays."""
        return self.wanted_home if self.home != self.wanted_home and self.dimension else None


_PLACED = """
    SELECT id, home, wanted_home, indexed, dimension,
           (SELECT count(*) FROM faces WHERE gallery_id = galleries.id) AS faces
    FROM galleries
"""


async def want(connection: Connection, gallery_id: UUID, home: Place) -> None:
    """Says where a gallery shall be searched: a classifier sees to it."""
    async with connection.transaction():
        changed = await connection.execute(
            "UPDATE galleries SET wanted_home = %s WHERE id = %s AND wanted_home <> %s",
            (home, gallery_id, home),
        )
        if changed.rowcount:
            event = Event("gallery.moved", gallery_id, (), {"to": home}, gallery_id=gallery_id)
            await record(connection, event)


def want_of(connection: psycopg.Connection[Any], service: str, home: Place) -> None:
    """Does the same by the name of its service. Raises ServiceError."""
    extension = connection.execute("SELECT name FROM pg_available_extensions WHERE name = 'vector'")
    if home == "database" and extension.fetchone() is None:
        raise ServiceError("this Postgres has no pgvector: install it, version 0.8 or newer")
    with connection.transaction():
        gallery = connection.execute(
            "UPDATE galleries SET wanted_home = %s FROM services"
            f" WHERE services.id = service_id AND {FULL_NAME} = %s RETURNING galleries.id",
            (home, service),
        ).fetchone()
        if gallery is None:
            raise ServiceError(f"there is no recognition service named {service!r}")
        record_sync(connection, Event("gallery.moved", gallery[0], (), {"to": home}, gallery_id=gallery[0]))


async def placed(connection: Connection, gallery_id: UUID) -> Placed:
    """Raises ApiKeyUnknown if it has been deleted."""
    cursor = connection.cursor(row_factory=class_row(Placed))
    await cursor.execute(_PLACED + "WHERE id = %s", (gallery_id,))
    return there(await cursor.fetchone())


async def unsettled(connection: Connection, scanned: int) -> set[UUID]:
    """Those that there is something to be done about.

    They are not where they are to be, or have more faces than `scanned` and no index.
    """
    cursor = await connection.execute(
        """
        SELECT id FROM galleries WHERE dimension IS NOT NULL AND CASE
            WHEN home = 'both' THEN wanted_home = 'database' OR left_at IS NULL
                 OR left_at < now() - %(grace)s * interval '1 second'
            WHEN home = 'database' AND wanted_home = 'database' THEN NOT indexed
                 AND EXISTS (SELECT FROM faces WHERE gallery_id = galleries.id OFFSET %(scanned)s LIMIT 1)
            ELSE home <> wanted_home END
        """,
        {"grace": GRACE, "scanned": scanned},
    )
    return {gallery_id for (gallery_id,) in await cursor.fetchall()}


async def enter(connection: Connection, gallery_id: UUID) -> None:
    """Makes an empty table, which writers keep from now on."""
    async with connection.transaction():
        gallery = await hold_gallery(connection, gallery_id)
        if gallery.home == "memory" and gallery.dimension:
            await make_table(connection, gallery)
            await _set(connection, gallery_id, "filling")


async def filled(connection: Connection, gallery_id: UUID) -> None:
    """The table has a vector for each face: Postgres searches it for classifiers that do not hold it."""
    await _from(connection, gallery_id, "filling", "both")


async def cut_over(connection: Connection, gallery_id: UUID) -> None:
    """Postgres searches it from now on, for all."""
    await _from(connection, gallery_id, "both", "database")


async def leave(connection: Connection, gallery_id: UUID) -> None:
    """Classifiers load it, and search it as soon as each has."""
    async with connection.transaction():
        await hold_gallery(connection, gallery_id)
        await connection.execute(
            "UPDATE galleries SET home = 'both', left_at = now()"
            " WHERE id = %s AND home IN ('both', 'database') AND left_at IS NULL",
            (gallery_id,),
        )


async def left(connection: Connection, gallery_id: UUID) -> None:
    """Its grace is over, or it does not enter after all: Postgres searches it no more."""
    async with connection.transaction():
        await hold_gallery(connection, gallery_id)
        await connection.execute(
            "UPDATE galleries SET home = 'memory', indexed = false, left_at = NULL WHERE id = %s"
            " AND (home = 'filling' OR home = 'both' AND left_at < now() - %s * interval '1 second')",
            (gallery_id, GRACE),
        )


async def orphans(connection: Connection) -> set[UUID]:
    """The galleries that have a table and need none, or are no more."""
    cursor = await connection.execute(
        "SELECT right(relname, 32)::uuid FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        " AND relname ~ '^vectors_[0-9a-f]{32}$'"
        " AND NOT EXISTS (SELECT FROM galleries WHERE vectors_of(id) = relname AND home <> 'memory')"
    )
    return {gallery_id for (gallery_id,) in await cursor.fetchall()}


async def sweep(connection: Connection, gallery_id: UUID) -> None:
    """Drops the table of a gallery if it needs none."""
    async with connection.transaction():
        await connection.execute(
            "SET LOCAL lock_timeout = '1s'"
        )  # a search that goes on must not keep others
        cursor = await connection.execute(
            "SELECT home FROM galleries WHERE id = %s FOR UPDATE", (gallery_id,)
        )
        row = await cursor.fetchone()
        if row is None or row[0] == "memory":
            await drop_table(connection, gallery_id)


async def bytes_of(connection: Connection, gallery_id: UUID) -> int:
    """What its table and the index take on disk."""
    cursor = await connection.execute(
        "SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0)", (table(gallery_id),)
    )
    (size,) = await cursor.fetchone() or (0,)
    return int(size)


async def _from(connection: Connection, gallery_id: UUID, home: Home, to: Home) -> None:
    async with connection.transaction():
        if (await hold_gallery(connection, gallery_id)).home == home:
            await _set(connection, gallery_id, to)


async def _set(connection: Connection, gallery_id: UUID, home: Home) -> None:
    await connection.execute(
        "UPDATE galleries SET home = %s, left_at = NULL WHERE id = %s", (home, gallery_id)
    )
    # Nothing has changed in it: there is no revision, and who misses this learns it at the next look.
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(gallery_id)))
