"""The members of applications, and what each is there."""

from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from serving.faults import MemberExists, RoleInsufficient, UserNotFound
from store.audit import Event, record
from store.database import Connection
from store.users import Role, lock_owners


class Member(NamedTuple):
    id: UUID
    email: str
    first_name: str
    last_name: str
    role: Role  # in the application


_SELECT = """
    SELECT users.id, email, first_name, last_name, members.role
    FROM members JOIN users ON users.id = user_id WHERE application_id = %(app)s
"""


async def list_members(connection: Connection, app_id: UUID, search: str = "") -> list[Member]:
    """By their e-mails: those whose names or e-mail have this in them, letter case aside."""
    cursor = connection.cursor(row_factory=class_row(Member))
    await cursor.execute(
        f"{_SELECT} AND position(%(search)s IN lower(concat_ws(' ', first_name, last_name, email))) > 0"
        " ORDER BY folded",
        {"app": app_id, "search": search.lower()},
    )
    return await cursor.fetchall()


async def find_member(connection: Connection, app_id: UUID, user_id: UUID) -> Member:
    """Raises UserNotFound."""
    cursor = connection.cursor(row_factory=class_row(Member))
    await cursor.execute(f"{_SELECT} AND users.id = %(user)s", {"app": app_id, "user": user_id})
    return await cursor.fetchone() or _nobody(user_id)


async def add_member(connection: Connection, app_id: UUID, user_id: UUID, role: Role) -> Member:
    """A new owner makes an administrator of the one before. Raises MemberExists."""
    if role == "owner":
        await lock_owners(connection)
        await _demote_owner(connection, app_id)
    try:
        await connection.execute("INSERT INTO members VALUES (%s, %s, %s)", (app_id, user_id, role))
    except psycopg.errors.UniqueViolation:
        raise MemberExists("this user is a member of the application already") from None
    await record(connection, Event("member.added", app_id, (), {"user": str(user_id), "role": role}))
    return await find_member(connection, app_id, user_id)


async def set_member_role(connection: Connection, app_id: UUID, user_id: UUID, role: Role) -> Member:
    """Of one who is not the owner. A new owner makes an administrator of the one before.

    Raises UserNotFound; RoleInsufficient, if this one is the owner.
    """
    await _lock_another(connection, app_id, user_id)
    if role == "owner":
        await _demote_owner(connection, app_id)
    await connection.execute(
        "UPDATE members SET role = %s WHERE application_id = %s AND user_id = %s AND role <> 'owner'",
        (role, app_id, user_id),
    )
    await record(connection, Event("member.changed", app_id, (), {"user": str(user_id), "role": role}))
    return await find_member(connection, app_id, user_id)


async def remove_member(connection: Connection, app_id: UUID, user_id: UUID) -> None:
    """One who is not the owner. Raises UserNotFound; RoleInsufficient, if this one is the owner."""
    await _lock_another(connection, app_id, user_id)
    await connection.execute(
        "DELETE FROM members WHERE application_id = %s AND user_id = %s AND role <> 'owner'",
        (app_id, user_id),
    )
    await record(connection, Event("member.removed", app_id, (), {"user": str(user_id)}))


async def _lock_another(connection: Connection, app_id: UUID, user_id: UUID) -> None:
    """Until the transaction ends this one is a member, and not the owner. Raises as set_member_role."""
    await lock_owners(connection)
    if (await find_member(connection, app_id, user_id)).role == "owner":
        raise RoleInsufficient("this is the owner of the application: make somebody else the owner first")


async def _demote_owner(connection: Connection, app_id: UUID) -> None:
    await connection.execute(
        "UPDATE members SET role = 'administrator' WHERE application_id = %s AND role = 'owner'", (app_id,)
    )


def _nobody(user_id: UUID) -> Member:
    raise UserNotFound(f"user {user_id} is no member of the application", user=user_id)
