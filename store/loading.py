"""Reads a whole gallery in one snapshot."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from uuid import UUID

from store.database import Database
from store.revisions import Gallery, newest_in

PAGE = 8192  # faces


class Faces(NamedTuple):
    """Some faces as they are searched for, in the order of their enrolment."""

    # For each: its id (16 bytes), its subject's id (16 bytes), its embedding (float32 little-endian, norm 1).
    packed: bytes
    dimension: int  # of each embedding
    names: dict[UUID, str]  # of their subjects


async def load(
    database: Database,
    gallery_id: UUID,
    take: Callable[[Faces], Awaitable[None]],
    page: int = PAGE,
    expect: Callable[[int, int], None] | None = None,
) -> Gallery:
    """Hands every face to `take`, some at a time, and returns the revision they stand for.

    Before, `expect` is told how many there will be, and their dimension. What it raises, so does this. Raises
    StoreUnavailable; then what was taken is void.
    """
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        gallery = await newest_in(connection, gallery_id)
        if expect:
            cursor = await connection.execute(
                "SELECT count(*) FROM faces WHERE gallery_id = %s", (gallery_id,)
            )
            (faces,) = await cursor.fetchone() or (0,)
            expect(faces, gallery.dimension or 0)
        if gallery.dimension:
            cursor = connection.cursor(binary=True)
            async with cursor.copy(_PAGES, {"gallery": gallery_id, "page": page}) as copy:
                copy.set_types(["bytea", "uuid[]", "text[]"])
                async for packed, ids, names in copy.rows():
                    await take(Faces(packed, gallery.dimension, dict(zip(ids, names, strict=True))))
    return gallery


# Postgres packs each page: a million rows one by one are slow to read in Python. It finds where pages begin
# first, so that it sorts no embedding and keeps none.
_PAGES = """
    COPY (
        SELECT packed, ids, (SELECT array_agg(name ORDER BY id) FROM subjects WHERE id = ANY(ids))
        FROM (
            SELECT enrolled AS first, lead(enrolled, 1, 9223372036854775807) OVER (ORDER BY enrolled) AS next
            FROM (
                SELECT enrolled, row_number() OVER (ORDER BY enrolled) AS number
                FROM faces WHERE gallery_id = %(gallery)s
            ) AS numbered
            WHERE (number - 1) %% %(page)s = 0
        ) AS pages
        CROSS JOIN LATERAL (
            SELECT string_agg(uuid_send(id) || uuid_send(subject_id) || embedding, '' ORDER BY enrolled)
                   AS packed,
                   array_agg(DISTINCT subject_id ORDER BY subject_id) AS ids
            FROM faces WHERE gallery_id = %(gallery)s AND enrolled >= first AND enrolled < next
        ) AS faces
        ORDER BY first
    ) TO STDOUT (FORMAT BINARY)
"""
