"""Users of this installation, and their roles in it. There is one owner, and the first user is it."""

from typing import Literal, NamedTuple, get_args
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from serving.faults import EmailTaken, RoleInsufficient, UserNotFound
from store.audit import Event, record
from store.database import Connection

Role = Literal["owner", "administrator", "user"]
ROLES: tuple[Role, ...] = get_args(Role)  # the highest first

# Of the advisory lock under which owners change: two at once must not both be the first, and an application
# must not pass to somebody who is just being deleted.
OWNERS = 0x6F776E72
_STAYS = "this is the owner of the installation: make somebody else the owner first"
SUGGESTIONS = 20  # e-mails, at most


class User(NamedTuple):
    id: UUID
    email: str  # as it was given
    first_name: str
    last_name: str
    role: Role

    @property
    def administers(self) -> bool:
        """Whether this one may do what administrators of the installation may."""
        return self.role != "user"


class NewUser(NamedTuple):
    email: str
    first_name: str
    last_name: str
    password: str | None  # as argon2id has it; None: there is none


_COLUMNS = "id, email, first_name, last_name, role"
_SELECT = f"SELECT {_COLUMNS} FROM users"
# Until the transaction ends nobody else changes or deletes the user, or makes what refers to them.
_LOCK = " FOR UPDATE"


async def anybody(connection: Connection) -> bool:
    """Whether there is a user."""
    return bool(await (await connection.execute("SELECT 1 FROM users LIMIT 1")).fetchone())


async def add_user(connection: Connection, new: NewUser, role: Role = "user") -> User:
    """The first one is the owner, whatever the role. Raises EmailTaken."""
    await lock_owners(connection)
    if not await anybody(connection):
        role = "owner"
    user = User(uuid4(), new.email, new.first_name, new.last_name, role)
    try:
        await connection.execute(
            f"INSERT INTO users ({_COLUMNS}, folded, password) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (*user, new.email.casefold(), new.password),
        )
    except psycopg.errors.UniqueViolation:
        raise EmailTaken("an account has this e-mail already; sign in, or choose another") from None
    await record(connection, Event("user.created", user.id))
    return user


async def lock_owners(connection: Connection) -> None:
    """Until the transaction ends nobody else becomes an owner, or is one no more. Before a user's lock."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (OWNERS,))


async def find_user(connection: Connection, user_id: UUID, *, lock: bool = False) -> User:
    """With `lock`, nobody else changes them until the transaction ends. Raises UserNotFound."""
    cursor = connection.cursor(row_factory=class_row(User))
    await cursor.execute(f"{_SELECT} WHERE id = %s{_LOCK if lock else ''}", (user_id,))
    return await cursor.fetchone() or _nobody(str(user_id))


async def find_by_email(connection: Connection, email: str, *, lock: bool = False) -> User | None:
    """The user of an e-mail in any letter case. With `lock`, as find_user."""
    cursor = connection.cursor(row_factory=class_row(User))
    await cursor.execute(f"{_SELECT} WHERE folded = %s{_LOCK if lock else ''}", (email.casefold(),))
    return await cursor.fetchone()


async def password_of(connection: Connection, user_id: UUID, *, lock: bool = False) -> str | None:
    """As argon2id has it; None if there is none. With `lock`, as find_user."""
    cursor = await connection.execute(
        f"SELECT password FROM users WHERE id = %s{_LOCK if lock else ''}", (user_id,)
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def set_password(connection: Connection, user_id: UUID, password: str) -> None:
    await connection.execute("UPDATE users SET password = %s WHERE id = %s", (password, user_id))
    await record(connection, Event("password.changed", user_id))


async def list_users(connection: Connection) -> list[User]:
    """All of them, by their e-mails."""
    cursor = connection.cursor(row_factory=class_row(User))
    await cursor.execute(f"{_SELECT} ORDER BY folded")
    return await cursor.fetchall()


async def emails_from(connection: Connection, letters: str) -> list[str]:
    """Those that begin with the letters, in alphabetical order."""
    cursor = await connection.execute(
        "SELECT email FROM users WHERE starts_with(folded, %s) ORDER BY folded LIMIT %s",
        (letters.casefold(), SUGGESTIONS),
    )
    return [email for (email,) in await cursor.fetchall()]


async def rename_user(connection: Connection, user_id: UUID, first_name: str, last_name: str) -> User:
    """Raises UserNotFound."""
    cursor = connection.cursor(row_factory=class_row(User))
    await cursor.execute(
        f"UPDATE users SET first_name = %s, last_name = %s WHERE id = %s RETURNING {_COLUMNS}",
        (first_name, last_name, user_id),
    )
    return await cursor.fetchone() or _nobody(str(user_id))


async def set_role(connection: Connection, user_id: UUID, role: Role) -> User:
    """A new owner makes an administrator of the one before; who is the owner may be made it again.

    A link to set a password ends: whoever made it might not have made one for this role. Raises UserNotFound;
    RoleInsufficient, if the owner were to be something else.
    """
    await lock_owners(connection)
    user = await find_user(connection, user_id)
    if user.role == role == "owner":
        return user
    if user.role == "owner":
        raise RoleInsufficient(_STAYS)
    if role == "owner":
        await connection.execute("UPDATE users SET role = 'administrator' WHERE role = 'owner'")
    cursor = connection.cursor(row_factory=class_row(User))
    await cursor.execute(
        f"UPDATE users SET role = %s WHERE id = %s AND role <> 'owner' RETURNING {_COLUMNS}", (role, user_id)
    )
    changed = await cursor.fetchone() or _nobody(str(user_id))
    await drop_reset_token(connection, user_id)
    await record(connection, Event("user.changed", user_id, (), {"role": role}))
    return changed


async def drop_reset_token(connection: Connection, user_id: UUID) -> None:
    """Whoever has a link to set the password of this one sets it no more."""
    await connection.execute("DELETE FROM reset_tokens WHERE user_id = %s", (user_id,))


async def delete_user(connection: Connection, user_id: UUID, heir: UUID | None) -> None:
    """The applications that this one owns pass to the heir; with None, to the owner of the installation.

    The owner of the installation stays. Raises UserNotFound, RoleInsufficient.
    """
    await lock_owners(connection)
    # Whoever is just making an application for this one is waited for: it must pass to somebody too.
    if (await find_user(connection, user_id, lock=True)).role == "owner":
        raise RoleInsufficient(_STAYS)
    await connection.execute(
        """
        INSERT INTO members (application_id, user_id, role)
        SELECT application_id,
               coalesce(%(heir)s, (SELECT id FROM users WHERE role = 'owner')), 'administrator'
        FROM members WHERE user_id = %(user)s AND role = 'owner'
        ON CONFLICT DO NOTHING
        """,
        {"heir": heir, "user": user_id},
    )
    # There is one owner of each application at any moment: first none, then the heir.
    cursor = await connection.execute(
        "DELETE FROM members USING users WHERE users.id = user_id AND user_id = %s AND users.role <> 'owner'"
        " AND members.role = 'owner' RETURNING application_id",
        (user_id,),
    )
    await connection.execute(
        "UPDATE members SET role = 'owner' WHERE application_id = ANY(%s)"
        " AND user_id = coalesce(%s, (SELECT id FROM users WHERE role = 'owner'))",
        ([id_ for (id_,) in await cursor.fetchall()], heir),
    )
    await connection.execute("DELETE FROM users WHERE id = %s AND role <> 'owner'", (user_id,))
    await record(connection, Event("user.deleted", user_id))


def _nobody(user: str) -> User:
    raise UserNotFound(f"there is no user {user}", user=user)
