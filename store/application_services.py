"""The services of an application: made, copied with all that their galleries have, renamed, deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from serving.faults import ApiKeyUnknown, NameTaken, ServiceNotFound
from store.audit import Event, record
from store.database import Connection
from store.keys import renewed_first_key
from store.revisions import hold_gallery
from store.services import ServiceType


class OfApplication(NamedTuple):
    """A service as its application lists it."""

    id: UUID
    name: str
    type: ServiceType
    created_at: datetime
    gallery_id: UUID | None  # of a recognition service


class Counts(NamedTuple):
    subjects: int
    faces: int


_SELECT = """
    SELECT services.id, name, type, created_at, galleries.id AS gallery_id
    FROM services LEFT JOIN galleries ON service_id = services.id WHERE application_id = %(app)s
"""


async def list_of_application(connection: Connection, app_id: UUID) -> list[OfApplication]:
    """By their names."""
    cursor = connection.cursor(row_factory=class_row(OfApplication))
    await cursor.execute(f"{_SELECT} ORDER BY name", {"app": app_id})
    return await cursor.fetchall()


async def find_of_application(connection: Connection, app_id: UUID, service_id: UUID) -> OfApplication:
    """Raises ServiceNotFound, also if it is another application's."""
    cursor = connection.cursor(row_factory=class_row(OfApplication))
    await cursor.execute(f"{_SELECT} AND services.id = %(service)s", {"app": app_id, "service": service_id})
    return await cursor.fetchone() or _none(service_id)


async def counts_of(connection: Connection, gallery_id: UUID) -> Counts:
    """How much a gallery has."""
    cursor = await connection.execute(
        "SELECT (SELECT count(*) FROM subjects WHERE gallery_id = %(gallery)s),"
        " (SELECT count(*) FROM faces WHERE gallery_id = %(gallery)s)",
        {"gallery": gallery_id},
    )
    row = await cursor.fetchone()
    assert row
    return Counts(*row)


async def add_to_application(
    connection: Connection, app_id: UUID, name: str, kind: ServiceType
) -> tuple[UUID, str]:
    """A new service with an empty gallery, if it recognises; its id and its API key. Raises NameTaken."""
    service_id = await _add(connection, app_id, name, kind)
    if kind == "recognition":
        await connection.execute(
            "INSERT INTO galleries (id, service_id) VALUES (%s, %s)", (uuid4(), service_id)
        )
    return service_id, await _with_key(connection, service_id, {"application": str(app_id)})


async def clone(connection: Connection, app_id: UUID, source: OfApplication, name: str) -> tuple[UUID, str]:
    """Another service with a copy of the gallery, as it is at one moment; its id and its API key.

    Writers of the gallery wait until the transaction ends: what is erased meanwhile would live on in the
    copy. Raises NameTaken, ServiceNotFound.
    """
    service_id = await _add(connection, app_id, name, source.type)
    if source.gallery_id:
        try:
            await hold_gallery(connection, source.gallery_id)
        except ApiKeyUnknown:  # it has been deleted
            _none(source.id)
        # Its feed begins after what it was born with; it has no fewer revisions than faces, as any gallery.
        await connection.execute(
            """
            WITH born AS (
                INSERT INTO galleries (id, service_id, revision, floor, model, dimension, false_match_rate,
                                       save_images, images_days, faces_days)
                SELECT %(gallery)s, %(service)s, revision, revision, model, dimension, false_match_rate,
                       save_images, images_days, faces_days
                FROM galleries WHERE id = %(source)s
            ), whom AS MATERIALIZED (
                SELECT id AS old, gen_random_uuid() AS new FROM subjects WHERE gallery_id = %(source)s
            ), people AS (
                INSERT INTO subjects (id, gallery_id, name, folded)
                SELECT whom.new, %(gallery)s, name, folded FROM subjects JOIN whom ON whom.old = subjects.id
            ), what AS MATERIALIZED (
                SELECT id AS old, gen_random_uuid() AS new FROM faces WHERE gallery_id = %(source)s
            ), portraits AS (
                INSERT INTO faces
                    (id, gallery_id, subject_id, embedding, model, created_at, idempotency_key, fingerprint)
                SELECT what.new, %(gallery)s, whom.new, embedding, model, created_at,
                       idempotency_key, fingerprint
                FROM faces JOIN what ON what.old = faces.id JOIN whom ON whom.old = subject_id
                ORDER BY enrolled
            )
            INSERT INTO images (face_id, content)
            SELECT what.new, content FROM images JOIN what ON what.old = face_id
            """,
            {"gallery": uuid4(), "service": service_id, "source": source.gallery_id},
        )
    # At the end, since all changes of keys take turns.
    told = {"application": str(app_id), "copy_of": str(source.id)}
    return service_id, await _with_key(connection, service_id, told)


async def rename_service(connection: Connection, service_id: UUID, name: str) -> None:
    """Raises NameTaken."""
    try:
        await connection.execute("UPDATE services SET name = %s WHERE id = %s", (name, service_id))
    except psycopg.errors.UniqueViolation:
        raise taken(name) from None
    await record(connection, Event("service.changed", service_id, service_id=service_id))


async def rotate_key(connection: Connection, service_id: UUID) -> str:
    """Another first API key, and the one before opens nothing. Other keys go on."""
    await connection.execute("SELECT FROM services WHERE id = %s FOR UPDATE", (service_id,))
    key_id, key = await renewed_first_key(connection, service_id)
    await record(connection, Event("key.created", key_id, service_id=service_id))
    return key


async def delete_service(connection: Connection, service_id: UUID) -> None:
    """With all that its gallery has."""
    await record(connection, Event("service.deleted", service_id, service_id=service_id))
    await connection.execute("DELETE FROM services WHERE id = %s", (service_id,))


def taken(name: str) -> NameTaken:
    return NameTaken(f"the application has a service named {name!r} already; choose another name", name=name)


async def _add(connection: Connection, app_id: UUID, name: str, kind: ServiceType) -> UUID:
    service_id = uuid4()
    try:
        await connection.execute(
            "INSERT INTO services (id, name, type, application_id) VALUES (%s, %s, %s, %s)",
            (service_id, name, kind, app_id),
        )
    except psycopg.errors.UniqueViolation:
        raise taken(name) from None
    return service_id


async def _with_key(connection: Connection, service_id: UUID, told: Mapping[str, str]) -> str:
    key_id, key = await renewed_first_key(connection, service_id)
    details = {**told, "key": str(key_id)}
    await record(connection, Event("service.created", service_id, (), details, service_id=service_id))
    return key


def _none(service_id: UUID) -> OfApplication:
    raise ServiceNotFound(f"the application has no service {service_id}", model_id=service_id)
