"""Applications, and the one who owns each."""

from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from serving.faults import ApplicationNotFound, NameTaken, SignInRequired
from store.application_services import delete_service
from store.audit import Event, record
from store.database import Connection
from store.users import Role


class Application(NamedTuple):
    id: UUID
    name: str
    owner_id: UUID
    first_name: str  # of the owner
    last_name: str
    role: Role | None  # of the user who asks; None: no member


_SELECT = """
    SELECT applications.id, name, owners.id AS owner_id, owners.first_name, owners.last_name, mine.role
    FROM applications
    JOIN members AS owning ON owning.application_id = applications.id AND owning.role = 'owner'
    JOIN users AS owners ON owners.id = owning.user_id
    LEFT JOIN members AS mine ON mine.application_id = applications.id AND mine.user_id = %(user)s
"""


async def list_applications(connection: Connection, user_id: UUID, every: bool) -> list[Application]:
    """Those that the user is a member of, or every one; by their names."""
    cursor = connection.cursor(row_factory=class_row(Application))
    await cursor.execute(
        f"{_SELECT} WHERE %(every)s OR mine.role IS NOT NULL ORDER BY name",
        {"user": user_id, "every": every},
    )
    return await cursor.fetchall()


async def find_application(connection: Connection, app_id: UUID, user_id: UUID) -> Application:
    """As this user sees it. Raises ApplicationNotFound."""
    cursor = connection.cursor(row_factory=class_row(Application))
    await cursor.execute(f"{_SELECT} WHERE applications.id = %(app)s", {"user": user_id, "app": app_id})
    return await cursor.fetchone() or _none(app_id)


async def add_application(connection: Connection, name: str, owner: UUID) -> UUID:
    """Raises NameTaken; SignInRequired, if the owner has just been deleted."""
    app_id = uuid4()
    try:
        await connection.execute("INSERT INTO applications (id, name) VALUES (%s, %s)", (app_id, name))
    except psycopg.errors.UniqueViolation:
        raise _taken(name) from None
    try:
        await connection.execute("INSERT INTO members VALUES (%s, %s, 'owner')", (app_id, owner))
    except psycopg.errors.ForeignKeyViolation:
        raise SignInRequired("this account was deleted; sign in to another") from None
    await record(connection, Event("application.created", app_id))
    return app_id


async def rename_application(connection: Connection, app_id: UUID, name: str) -> None:
    """Raises NameTaken."""
    try:
        await connection.execute("UPDATE applications SET name = %s WHERE id = %s", (name, app_id))
    except psycopg.errors.UniqueViolation:
        raise _taken(name) from None
    await record(connection, Event("application.changed", app_id))


async def delete_application(connection: Connection, app_id: UUID) -> None:
    """With its services, and all that their galleries have."""
    cursor = await connection.execute("SELECT id FROM services WHERE application_id = %s", (app_id,))
    services = await cursor.fetchall()
    for (service_id,) in services:
        await delete_service(connection, service_id)
    await connection.execute("DELETE FROM applications WHERE id = %s", (app_id,))
    await record(connection, Event("application.deleted", app_id, (), {"services": len(services)}))


def _taken(name: str) -> NameTaken:
    return NameTaken(f"there is an application named {name!r} already; choose another name", name=name)


def _none(app_id: UUID) -> Application:
    raise ApplicationNotFound(f"there is no application {app_id}", app_id=app_id)
