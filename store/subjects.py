"""The rows of a gallery's subjects: whose faces they are, by name, letter case aside."""

from typing import NamedTuple
from uuid import UUID, uuid4

from psycopg.rows import class_row

from store.database import Connection


class Subject(NamedTuple):
    id: UUID
    name: str  # as it was first given


async def find_subject(connection: Connection, gallery_id: UUID, name: str) -> Subject | None:
    """The subject of a name in any letter case."""
    if "\0" in name:  # no text in Postgres has one, and psycopg refuses it
        return None
    cursor = connection.cursor(row_factory=class_row(Subject))
    await cursor.execute(
        "SELECT id, name FROM subjects WHERE gallery_id = %s AND folded = %s", (gallery_id, name.casefold())
    )
    return await cursor.fetchone()


async def subjects_for(connection: Connection, gallery_id: UUID, names: list[str]) -> dict[str, Subject]:
    """The subjects of names in any letter case, made if need be, in a gallery that is locked.

    By their folded names. Of several spellings of a new one the first counts.
    """
    wanted = {name.casefold(): name for name in reversed(names)}
    cursor = await connection.execute(
        """
        WITH made AS (
            INSERT INTO subjects (id, gallery_id, name, folded)
            SELECT id, %s, name, folded
            FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS new (id, name, folded)
            ON CONFLICT (gallery_id, folded) DO NOTHING RETURNING folded, id, name
        )
        SELECT * FROM made
        UNION ALL SELECT folded, id, name FROM subjects WHERE gallery_id = %s AND folded = ANY(%s)
        """,
        (gallery_id, [uuid4() for _ in wanted], [*wanted.values()], [*wanted], gallery_id, [*wanted]),
    )
    return {folded: Subject(*rest) for folded, *rest in await cursor.fetchall()}


async def rename(connection: Connection, subject_id: UUID, name: str) -> None:
    await connection.execute(
        "UPDATE subjects SET name = %s, folded = %s WHERE id = %s", (name, name.casefold(), subject_id)
    )


async def merge(connection: Connection, subject_id: UUID, into: UUID) -> None:
    """Gives the faces of one subject to another, and removes the one."""
    await connection.execute("UPDATE faces SET subject_id = %s WHERE subject_id = %s", (into, subject_id))
    await connection.execute("DELETE FROM subjects WHERE id = %s", (subject_id,))
