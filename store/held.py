"""Everything that is held about one subject, read some at a time."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from serving.faults import SubjectNotFound
from store.audit import Event, record
from store.chain import Link, seal
from store.database import Database
from store.subjects import Subject, find_subject

_FACES = 200  # read at once
_EVENTS = 500


class HeldFace(NamedTuple):
    enrolled: int  # the order of enrolment
    id: UUID
    created_at: datetime
    model: str
    embedding: bytes  # float32 little-endian, norm 1
    idempotency_key: str | None
    has_image: bool


class Held:
    """What is erased meanwhile is left out. Each method raises StoreUnavailable when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, gallery_id: UUID, name: str) -> Subject:
        """The subject of a name in any letter case; its event is written. Raises SubjectNotFound."""
        async with self._database.transaction() as connection:
            subject = await find_subject(connection, gallery_id, name)
            if subject is None:
                raise SubjectNotFound(f"there is no subject {name!r} in this gallery", subject=name)
            event = Event("subject.exported", subject.id, [subject.id], gallery_id=gallery_id)
            await record(connection, event)
        await seal(self._database)
        return subject

    async def faces(self, subject_id: UUID) -> AsyncIterator[list[HeldFace]]:
        after = 0
        while True:
            async with self._database.statement() as connection:
                cursor = connection.cursor(row_factory=class_row(HeldFace), binary=True)
                await cursor.execute(
                    "SELECT enrolled, id, created_at, model, embedding, idempotency_key,"
                    " EXISTS (SELECT FROM images WHERE face_id = faces.id) AS has_image"
                    " FROM faces WHERE subject_id = %s AND enrolled > %s ORDER BY enrolled LIMIT %s",
                    (subject_id, after, _FACES),
                )
                faces = await cursor.fetchall()
            if not faces:
                return
            yield faces
            after = faces[-1].enrolled

    async def images(self, subject_id: UUID) -> AsyncIterator[tuple[UUID, bytes]]:
        """The files that faces were enrolled from, by the faces' ids: one in memory at a time."""
        after = 0
        while True:
            async with self._database.statement() as connection:
                cursor = await connection.cursor(binary=True).execute(
                    "SELECT enrolled, id, content FROM faces JOIN images ON face_id = id"
                    " WHERE subject_id = %s AND enrolled > %s ORDER BY enrolled LIMIT 1",
                    (subject_id, after),
                )
                row = await cursor.fetchone()
            if row is None:
                return
            after, face_id, content = row
            yield face_id, content

    async def events(self, subject_id: UUID) -> AsyncIterator[list[Link]]:
        """What the audit log has about the subject."""
        after = 0
        while True:
            async with self._database.statement() as connection:
                cursor = connection.cursor(row_factory=class_row(Link))
                await cursor.execute(
                    "SELECT * FROM audit WHERE subjects @> ARRAY[%s::uuid] AND number > %s"
                    " ORDER BY number LIMIT %s",
                    (subject_id, after, _EVENTS),
                )
                events = await cursor.fetchall()
            if not events:
                return
            yield events
            after = events[-1].number
