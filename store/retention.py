"""For how long galleries keep what, and the erasing of what they keep no longer."""

import logging
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from serving.faults import ApiKeyUnknown, Overloaded
from store.audit import Event, record, record_sync
from store.database import Connection, Database
from store.gallery import GalleryStore
from store.services import FULL_NAME, ServiceError

log = logging.getLogger(__name__)

BATCH = 500  # faces of a gallery in one transaction
LONGEST = 36_500  # days


class Keeping(NamedTuple):
    """What a gallery keeps from now on, and for how long."""

    images: bool  # whether it keeps images at all
    images_days: int | None  # None: as long as the face
    faces_days: int | None  # None: until they are erased


class _Due(NamedTuple):
    id: UUID
    gallery_id: UUID
    subject_id: UUID
    enrolled: int
    old: bool


def keeping_of(connection: psycopg.Connection[Any], name: str) -> Keeping:
    """What the gallery of a service keeps. Raises ServiceError."""
    cursor = connection.cursor(row_factory=class_row(Keeping))
    keeping = cursor.execute(
        "SELECT save_images AS images, images_days, faces_days FROM galleries"
        f" JOIN services ON services.id = service_id WHERE {FULL_NAME} = %s",
        (name,),
    ).fetchone()
    if keeping is None:
        raise ServiceError(f"there is no recognition service named {name!r}")
    return keeping


def keep(connection: psycopg.Connection[Any], name: str, keeping: Keeping) -> None:
    """Says what the gallery of a service keeps. Raises ServiceError.

    It counts from the next face on, and for those that are there from the next minute on; images that are
    there already stay for as long as images do.
    """
    for days in (keeping.images_days, keeping.faces_days):
        if days is not None and not 1 <= days <= LONGEST:
            raise ServiceError(f"a number of days is from 1 to {LONGEST}")
    with connection.transaction():
        service = connection.execute(
            "UPDATE galleries SET save_images = %s, images_days = %s, faces_days = %s FROM services"
            f" WHERE services.id = service_id AND {FULL_NAME} = %s RETURNING service_id",
            (*keeping, name),
        ).fetchone()
        if service is None:
            raise ServiceError(f"there is no recognition service named {name!r}")
        told = {"images": int(keeping.images)}
        told |= {name: days for name, days in keeping._asdict().items() if name != "images" and days}
        record_sync(connection, Event("service.changed", service[0], (), told, service_id=service[0]))


class Retention:
    """Erases what is kept no longer. Any number of processes may: who comes second finds nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = GalleryStore(database)

    async def retire(self, at: datetime | None = None) -> int:
        """Erases faces and images that are too old, of each gallery a batch, and returns how many.

        It is `at` that time; None: now, by the clock of Postgres. Raises StoreUnavailable.
        """
        async with self._database.statement() as connection:
            cursor = await connection.execute(
                "SELECT id, faces_days, images_days FROM galleries"
                " WHERE faces_days IS NOT NULL OR images_days IS NOT NULL"
            )
            galleries = await cursor.fetchall()
        retired = 0
        for gallery_id, faces_days, images_days in galleries:
            try:
                if faces_days is not None:
                    retired += await self._retire_faces(gallery_id, faces_days, at)
                if images_days is not None:
                    retired += await self._retire_images(gallery_id, images_days, at)
            except (
                ApiKeyUnknown,
                Overloaded,
            ) as fault:  # it is deleted, or held: the others go on
                log.info("gallery %s is looked at again in a minute: %s", gallery_id, fault)
        return retired

    async def _retire_faces(self, gallery_id: UUID, days: int, at: datetime | None) -> int:
        async with self._database.statement() as connection:
            due = await _due(connection, gallery_id, days, at, after=0)
        if due:
            await self._store.erase_faces(gallery_id, [each.id for each in due], and_subjects=True)
        return len(due)

    async def _retire_images(self, gallery_id: UUID, days: int, at: datetime | None) -> int:
        async with self._database.transaction() as connection:
            row = await (
                await connection.execute(
                    "SELECT images_until, revision FROM galleries WHERE id = %s FOR UPDATE", (gallery_id,)
                )
            ).fetchone()
            due = await _due(connection, gallery_id, days, at, after=row[0]) if row else []
            if not row or not due:
                return 0
            erased = await connection.execute(
                "DELETE FROM images WHERE face_id = ANY(%s)", ([each.id for each in due],)
            )
            await connection.execute(
                "UPDATE galleries SET images_until = %s WHERE id = %s", (due[-1].enrolled, gallery_id)
            )
            if erased.rowcount:
                subjects = sorted({each.subject_id for each in due})
                told = {"revision": row[1], "subjects": 0, "faces": 0, "images": erased.rowcount}
                event = Event("images.erased", gallery_id, subjects, told, gallery_id=gallery_id)
                await record(connection, event)
            return len(due)


async def _due(
    connection: Connection, gallery_id: UUID, days: int, at: datetime | None, after: int
) -> list[_Due]:
    """The faces that are older than so many days, those enrolled first, of which a batch is looked at."""
    cursor = connection.cursor(row_factory=class_row(_Due))
    await cursor.execute(
        "SELECT id, gallery_id, subject_id, enrolled,"
        " created_at < coalesce(%s, now()) - make_interval(days => %s) AS old"
        " FROM faces WHERE gallery_id = %s AND enrolled > %s ORDER BY enrolled LIMIT %s",
        (at, days, gallery_id, after, BATCH),
    )
    return list(takewhile(lambda face: face.old, await cursor.fetchall()))
