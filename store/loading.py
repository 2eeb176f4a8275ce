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
        last = 0
        while gallery.dimension and last is not None:
            # Postgres packs the page: a million rows one by one are slow to read in Python.
            cursor = await connection.cursor(binary=True).execute(
                """
                WITH page AS (
                    SELECT enrolled, id, subject_id, embedding FROM faces
                    WHERE gallery_id = %s AND enrolled > %s ORDER BY enrolled LIMIT %s
                ), named AS (SELECT id, name FROM subjects WHERE id IN (SELECT subject_id FROM page))
                SELECT max(enrolled),
                       string_agg(uuid_send(id) || uuid_send(subject_id) || embedding, '' ORDER BY enrolled),
                       (SELECT array_agg(id ORDER BY id) FROM named),
                       (SELECT array_agg(name ORDER BY id) FROM named)
                FROM page
                """,
                (gallery_id, last, page),
            )
            row = await cursor.fetchone()
            assert row
            last, packed, ids, names = row
            if packed:
                await take(Faces(packed, gallery.dimension, dict(zip(ids, names, strict=True))))
    return gallery
