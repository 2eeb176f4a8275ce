"""Finds the nearest faces of a gallery in its table of vectors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from serving.faults import GalleryBehind, StoreUnavailable
from store.database import Connection, Database
from store.revisions import Gallery
from store.vectors import table

LONGEST = 30  # seconds that reading every vector may take


class Near(NamedTuple):
    """A face that was found."""

    id: UUID
    subject_id: UUID
    subject: str
    embedding: bytes  # float32 little-endian, norm 1
    enrolled: int  # the order of enrolment
    nearness: float  # the dot product with the probe, both in half precision


class Nearest:
    """Searches of one gallery in one snapshot: they see every change that was acknowledged before."""

    def __init__(self, connection: Connection, gallery: Gallery) -> None:
        self._connection = connection
        self._gallery = gallery

    async def find(self, probe: list[float], most: int, *, exact: bool) -> list[Near]:
        """The `most` nearest faces to a probe of norm 1, the nearest first.

        Of the index some may be missing, and fewer be found. Among equals at the end any may be left out.
        """
        # The index cannot give the order of a sum, so every vector is read.
        order = "(embedding <#> probe) + 0" if exact else "embedding <#> probe"
        order = order.replace("probe", f"%(probe)s::halfvec({self._gallery.dimension})")
        cursor = self._connection.cursor(row_factory=class_row(Near), binary=True)
        await cursor.execute(
            f"""
            SELECT faces.id, subject_id, name AS subject, faces.embedding, enrolled, nearness
            FROM (
                SELECT face_id, -({order}) AS nearness FROM {table(self._gallery.id)}
                ORDER BY {order} LIMIT {int(most)}
            ) AS found
            JOIN faces ON faces.id = face_id AND model = %(model)s
            JOIN subjects ON subjects.id = subject_id
            """,
            {"probe": f"[{','.join(map(repr, probe))}]", "model": self._gallery.model},
        )
        return await cursor.fetchall()


@asynccontextmanager
async def searching(database: Database, gallery: Gallery, ef: int) -> AsyncIterator[Nearest]:
    """For searches that look at so many vectors of the index. Raises GalleryBehind, StoreUnavailable."""
    async with database.transaction() as connection:
        async with connection.pipeline():  # one way to the server for both
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            await connection.execute(
                "SELECT set_config(name, value, true)"
                " FROM unnest(%s::text[], %s::text[]) AS settings (name, value)",
                (list(_SETTINGS), list({**_SETTINGS, "hnsw.ef_search": str(ef)}.values())),
            )
        with told(gallery):
            yield Nearest(connection, gallery)


@contextmanager
def told(gallery: Gallery) -> Iterator[None]:
    """What goes wrong with a search, as faults."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise StoreUnavailable(f"Postgres took longer than {LONGEST} s to read every vector") from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.DataException):
        raise GalleryBehind("the gallery has just moved; try again", revision=gallery.revision) from None


_SETTINGS = {
    "hnsw.ef_search": "",
    "hnsw.iterative_scan": "relaxed_order",  # it goes on where vectors of erased faces were in the way
    "jit": "off",  # it takes longer to compile than to search
    "statement_timeout": f"{LONGEST}s",
}
