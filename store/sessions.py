"""Who is signed in. A token is random, shown to whom it is given, and kept as a hash alone."""

import hashlib
import secrets
from typing import NamedTuple
from uuid import UUID, uuid4

from store.audit import Event, record
from store.database import Connection
from store.users import Role, User

ACCESS = 15 * 60  # seconds that an access token lasts
REFRESH = 14 * 24 * 3600  # seconds that a refresh token lasts
RESET = 15 * 60  # seconds that a link to set a password lasts


class Tokens(NamedTuple):
    access: str
    refresh: str


class Caller(NamedTuple):
    """Whose access token it is, and how they stand to an application."""

    session_id: UUID
    user: User
    app_there: bool  # whether there is such an application at all
    app_role: Role | None  # None: no member


def hash_of(token: str) -> bytes:
    """SHA-256: a token has too many bits to be guessed from it."""
    return hashlib.sha256(token.encode()).digest()


async def begin_session(connection: Connection, user_id: UUID) -> Tokens:
    tokens, session_id = _new(), uuid4()
    await connection.execute(
        "INSERT INTO sessions (id, user_id, access_hash, access_expires_at)"
        " VALUES (%s, %s, %s, now() + make_interval(secs => %s))",
        (session_id, user_id, hash_of(tokens.access), ACCESS),
    )
    await _add_refresh(connection, session_id, tokens)
    await record(connection, Event("session.opened", user_id))
    return tokens


async def refresh_session(connection: Connection, refresh: str) -> Tokens | None:
    """A new pair for a refresh token. One that was used before ends its session.

    None if it is good no more; then too the transaction must be committed.
    """
    cursor = await connection.execute(
        "UPDATE refresh_tokens SET used = true WHERE hash = %s AND NOT used AND expires_at > now()"
        " RETURNING session_id",
        (hash_of(refresh),),
    )
    row = await cursor.fetchone()
    if row is None:
        await connection.execute(
            "DELETE FROM sessions"
            " WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = %s AND used)",
            (hash_of(refresh),),
        )
        return None
    tokens = _new()
    await connection.execute(
        "UPDATE sessions SET access_hash = %s, access_expires_at = now() + make_interval(secs => %s)"
        " WHERE id = %s",
        (hash_of(tokens.access), ACCESS, row[0]),
    )
    await _add_refresh(connection, row[0], tokens)
    return tokens


async def find_caller(connection: Connection, access: str, app_id: UUID | None) -> Caller | None:
    """None if the token is good no more. Roles are as they are now."""
    cursor = await connection.execute(
        """
        SELECT sessions.id, applications.id IS NOT NULL, members.role,
               users.id, email, first_name, last_name, users.role
        FROM sessions JOIN users ON users.id = sessions.user_id
        LEFT JOIN applications ON applications.id = %s
        LEFT JOIN members ON application_id = applications.id AND members.user_id = users.id
        WHERE access_hash = %s AND access_expires_at > now()
        """,
        (app_id, hash_of(access)),
    )
    row = await cursor.fetchone()
    return Caller(row[0], User(*row[3:]), row[1], row[2]) if row else None


async def end_session(connection: Connection, session_id: UUID, user_id: UUID) -> None:
    await connection.execute("DELETE FROM sessions WHERE id = %s", (session_id,))
    await record(connection, Event("session.closed", user_id, (), {"sessions": 1}))


async def end_sessions(connection: Connection, user_id: UUID, but: UUID | None = None) -> None:
    """All of a user's, but one."""
    ended = await connection.execute(
        "DELETE FROM sessions WHERE user_id = %s AND id IS DISTINCT FROM %s", (user_id, but)
    )
    if ended.rowcount:
        await record(connection, Event("session.closed", user_id, (), {"sessions": ended.rowcount}))


async def make_reset_token(connection: Connection, user_id: UUID) -> str:
    """In place of an earlier one."""
    token = secrets.token_urlsafe(32)
    await connection.execute(
        """
        INSERT INTO reset_tokens (user_id, hash, expires_at)
        VALUES (%s, %s, now() + make_interval(secs => %s))
        ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at
        """,
        (user_id, hash_of(token), RESET),
    )
    await record(connection, Event("password.link", user_id))
    return token


async def use_reset_token(connection: Connection, token: str) -> UUID | None:
    """The user whose it was; None if it is good no more."""
    # The user first, as everybody locks both: or two who wait for each other would be stopped.
    await connection.execute(
        "SELECT 1 FROM users WHERE id = (SELECT user_id FROM reset_tokens WHERE hash = %s) FOR UPDATE",
        (hash_of(token),),
    )
    cursor = await connection.execute(
        "DELETE FROM reset_tokens WHERE hash = %s AND expires_at > now() RETURNING user_id", (hash_of(token),)
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def sweep(connection: Connection) -> None:
    """Removes what has expired, which counts for nothing already."""
    for statement in (
        "DELETE FROM sessions WHERE NOT EXISTS"
        " (SELECT FROM refresh_tokens WHERE session_id = sessions.id AND expires_at > now())",
        "DELETE FROM refresh_tokens WHERE expires_at < now()",
        "DELETE FROM reset_tokens WHERE expires_at < now()",
        "DELETE FROM oidc_states WHERE expires_at < now()",
        "DELETE FROM attempts WHERE expires_at < now()",
    ):
        await connection.execute(statement)


def _new() -> Tokens:
    return Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32))


async def _add_refresh(connection: Connection, session_id: UUID, tokens: Tokens) -> None:
    await connection.execute(
        "INSERT INTO refresh_tokens (hash, session_id, expires_at)"
        " VALUES (%s, %s, now() + make_interval(secs => %s))",
        (hash_of(tokens.refresh), session_id, REFRESH),
    )
