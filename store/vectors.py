"""The tables of vectors: a gallery that Postgres searches has one, with a vector for each of its faces.

They are in half precision, which finds the nearest faces as well and takes half of the room; how similar
those are is computed from `faces.embedding`.
"""

from collections.abc import Iterable
from uuid import UUID

import numpy as np

from store.database import Connection
from store.revisions import Gallery, hold_gallery

INDEX_M, INDEX_EF = 16, 128  # neighbours of a vector in the index, and among how many they are chosen
MEMORY = 2 << 30  # bytes that building an index takes at most, unless maintenance_work_mem is more
_OF_A_VECTOR = 900  # of them for each vector, beside its numbers; with less it gets slower by far
_PAGE = 1000  # faces copied while their gallery is held: some hundredths of a second


def table(gallery_id: UUID) -> str:
    """Its name, as vectors_of in the schema."""
    return f"vectors_{gallery_id.hex}"


def packed(embedding: bytes) -> bytes:
    """float32 little-endian as pgvector reads a halfvec from COPY."""
    return (
        (len(embedding) // 4).to_bytes(2) + b"\0\0" + np.frombuffer(embedding, "<f4").astype(">f2").tobytes()
    )


async def make_table(connection: Connection, gallery: Gallery) -> None:
    """An empty one, in place of what there may be."""
    await drop_table(connection, gallery.id)
    await connection.execute(
        f"CREATE TABLE {table(gallery.id)}"
        f" (face_id uuid PRIMARY KEY, embedding halfvec({gallery.dimension}) NOT NULL)"
    )
    # No samples to plan by, which no DELETE would find.
    await connection.execute(f"ALTER TABLE {table(gallery.id)} ALTER embedding SET STATISTICS 0")


async def drop_table(connection: Connection, gallery_id: UUID) -> None:
    await connection.execute(f"DROP TABLE IF EXISTS {table(gallery_id)}")


async def write(connection: Connection, gallery_id: UUID, faces: Iterable[tuple[UUID, bytes]]) -> None:
    """Adds the vectors of new faces, in the transaction that adds these."""
    copying = f"COPY {table(gallery_id)} (face_id, embedding) FROM STDIN (FORMAT binary)"
    async with connection.cursor().copy(copying) as copy:
        copy.set_types(["uuid", "bytea"])  # COPY asks for no types: the bytes are the halfvec's own
        for id_, embedding in faces:
            await copy.write_row((id_, packed(embedding)))


async def fill(connection: Connection, gallery_id: UUID) -> int:
    """Copies the vectors of all faces that have none; returns how many it copied.

    Faces that are added meanwhile bring their own. Writers of the gallery wait for a page at most. What has
    been copied stays, if this is cut off: to begin again goes on from there.
    """
    after = copied = 0
    while True:
        async with connection.transaction():
            # Else a face could be erased between its reading and its copying, and its vector stay.
            if not (await hold_gallery(connection, gallery_id)).has_vectors:
                return copied  # it was emptied
            cursor = await connection.cursor(binary=True).execute(
                # A lookup for each face: joined, the whole table would be read for each page.
                "SELECT enrolled, id,"
                f" CASE WHEN (SELECT true FROM {table(gallery_id)} WHERE face_id = faces.id) THEN NULL"
                " ELSE embedding END FROM faces"
                " WHERE gallery_id = %s AND enrolled > %s ORDER BY enrolled LIMIT %s",
                (gallery_id, after, _PAGE),
            )
            rows = await cursor.fetchall()
            if not rows:
                return copied
            missing = [(id_, embedding) for _, id_, embedding in rows if embedding is not None]
            await write(connection, gallery_id, missing)
            after, copied = rows[-1][0], copied + len(missing)


async def build_index(connection: Connection, gallery: Gallery, faces: int) -> None:
    """Builds it beside searches and writes, on a connection that commits by itself. Takes minutes.

    One that was begun and is not whole is begun anew.
    """
    name = f"{table(gallery.id)}_nearest"
    cursor = await connection.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (name,)
    )
    built = await cursor.fetchone()
    if built is None or not built[0]:
        await connection.execute(f"DROP INDEX IF EXISTS {name}")
        need = faces * (2 * (gallery.dimension or 0) + _OF_A_VECTOR)
        await connection.execute(
            "SELECT set_config('maintenance_work_mem', greatest("
            "pg_size_bytes(current_setting('maintenance_work_mem')), %s) / 1024 || 'kB', false),"
            # One core, and the memory is the backend's own: containers have little that is shared.
            " set_config('max_parallel_maintenance_workers', '0', false)",
            (min(need, MEMORY),),
        )
        await connection.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON {table(gallery.id)}"
            f" USING hnsw (embedding halfvec_ip_ops) WITH (m = {INDEX_M}, ef_construction = {INDEX_EF})"
        )
    await connection.execute(f"ANALYZE {table(gallery.id)}")
    await connection.execute(
        "UPDATE galleries SET indexed = true WHERE id = %s AND home IN ('both', 'database')", (gallery.id,)
    )


async def due_for_vacuum(connection: Connection) -> list[str]:
    """The tables in which something of erased faces is left."""
    cursor = await connection.execute(
        r"SELECT relname FROM pg_stat_user_tables WHERE relname LIKE 'vectors\_%' AND n_dead_tup > 0"
        " ORDER BY last_vacuum NULLS FIRST"
    )
    return [name for (name,) in await cursor.fetchall()]


async def vacuum(connection: Connection, name: str) -> None:
    """Frees what erased faces have left in a table, and wipes it from its index, unless that is built now."""
    await connection.execute(f"VACUUM (INDEX_CLEANUP ON, SKIP_LOCKED) {name}")
