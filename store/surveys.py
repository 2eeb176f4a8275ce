"""What is to be known of a gallery as a whole that Postgres searches: its size, a sample, its hash."""

import asyncio
from typing import NamedTuple
from uuid import UUID

import numpy as np

from store.database import Connection, Database
from store.hashing import sum_of
from store.homes import bytes_of
from store.loading import Faces
from store.nearest import told
from store.revisions import Gallery, newest_in
from store.vectors import packed, table

_TOGETHER = 4096  # rows fetched at once


class Size(NamedTuple):
    subjects: int  # that have faces
    faces: int


class Hashed(NamedTuple):
    gallery: Gallery
    faces: int  # of which there is a vector as it should be
    total: int  # of their numbers, see store.hashing
    nbytes: int  # on disk, of the table of vectors


async def size(database: Database, gallery_id: UUID) -> Size:
    """Takes a second for a million faces."""
    async with database.statement() as connection:
        cursor = await connection.execute(
            "SELECT count(DISTINCT subject_id), count(*) FROM faces WHERE gallery_id = %s", (gallery_id,)
        )
        return Size(*(await cursor.fetchone() or (0, 0)))


async def sample(database: Database, gallery_id: UUID, most: int) -> Faces | None:
    """Faces by chance, or all of them, in the order of their enrolment; the same of the same, every time.

    Their subjects' names are left out. None if there are no faces.
    """
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor = await connection.execute("SELECT count(*) FROM faces WHERE gallery_id = %s", (gallery_id,))
        (faces,) = await cursor.fetchone() or (0,)
        chosen = np.random.default_rng(0).permutation(faces)[:most]
        cursor = await connection.cursor(binary=True).execute(
            """
            SELECT string_agg(uuid_send(id) || uuid_send(subject_id) || embedding, '' ORDER BY enrolled),
                   array_agg(DISTINCT subject_id), max(length(embedding)) / 4
            FROM (
                SELECT enrolled, row_number() OVER (ORDER BY enrolled) - 1 AS place
                FROM faces WHERE gallery_id = %(gallery)s
            ) AS numbered
            JOIN unnest(%(chosen)s::bigint[]) AS chosen (place) USING (place)
            JOIN faces USING (enrolled) WHERE gallery_id = %(gallery)s
            """,
            {"gallery": gallery_id, "chosen": chosen.tolist()},
        )
        rows, subjects, dimension = await cursor.fetchone() or (None, [], 0)
    return rows and Faces(rows, dimension, dict.fromkeys(subjects, ""))


async def hashed(database: Database, gallery_id: UUID) -> Hashed:
    """The hash of the faces that are searched: those that have a vector, and that of their embedding.

    Raises GalleryBehind if the gallery has just moved, StoreUnavailable.
    """
    faces = total = 0
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        gallery = await newest_in(connection, gallery_id)
        nbytes = await bytes_of(connection, gallery_id)
        if gallery.dimension:
            with told(gallery):
                faces, total = await _summed(connection, gallery_id)
    return Hashed(gallery, faces, total, nbytes)


async def _summed(connection: Connection, gallery_id: UUID) -> tuple[int, int]:
    faces = total = 0
    async with connection.cursor("faces", binary=True) as cursor:
        await cursor.execute(
            "SELECT uuid_send(faces.id) || uuid_send(subject_id), faces.embedding,"
            " convert_to(name, 'UTF8'), halfvec_send(vectors.embedding)"
            f" FROM faces JOIN {table(gallery_id)} AS vectors ON face_id = faces.id"
            " JOIN subjects ON subjects.id = subject_id WHERE faces.gallery_id = %s",
            (gallery_id,),
        )
        while rows := await cursor.fetchmany(_TOGETHER):
            good, total = await asyncio.to_thread(_sum, rows, total)
            faces += good
    return faces, total


def _sum(rows: list[tuple[bytes, bytes, bytes, bytes]], before: int) -> tuple[int, int]:
    good = [ids + face + name for ids, face, name, vector in rows if packed(face) == vector]
    return len(good), sum_of(good, before)
