"""Whom another provider knows, and sign-ins that are under way there."""

import secrets
from typing import NamedTuple
from uuid import UUID

from serving.faults import ProviderRefused
from store.audit import Event, record
from store.database import Connection
from store.sessions import end_sessions, hash_of
from store.users import NewUser, add_user, drop_reset_token, find_by_email

PATIENCE = 10 * 60  # seconds that somebody may take to sign in at the provider


class Leaving(NamedTuple):
    """What a sign-in that is under way is known by when it comes back."""

    state: str
    nonce: str
    verifier: str


class Identity(NamedTuple):
    """Somebody, as the provider vouches for."""

    issuer: str
    subject: str
    email: str  # verified by the provider
    first_name: str
    last_name: str


async def leave(connection: Connection) -> Leaving:
    leaving = Leaving(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    await connection.execute(
        "INSERT INTO oidc_states (hash, nonce, verifier, expires_at)"
        " VALUES (%s, %s, %s, now() + make_interval(secs => %s))",
        (hash_of(leaving.state), leaving.nonce, leaving.verifier, PATIENCE),
    )
    return leaving


async def come_back(connection: Connection, state: str) -> Leaving | None:
    """Once: None if it came back already, took too long, or never left."""
    cursor = await connection.execute(
        "DELETE FROM oidc_states WHERE hash = %s AND expires_at > now() RETURNING nonce, verifier",
        (hash_of(state),),
    )
    row = await cursor.fetchone()
    return Leaving(state, *row) if row else None


async def user_of(connection: Connection, identity: Identity) -> UUID:
    """The user whom the provider knows, made if need be.

    An account of the same e-mail becomes theirs. Whoever made it never proved that the e-mail is theirs: its
    password is good no more, nor is a link to set one, and its sessions end.

    Raises ProviderRefused if somebody else of the provider has that account already: an e-mail may pass to
    another person there.
    """
    # Two first sign-ins of one person at once: the second finds what the first has made.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{identity.issuer} {identity.subject}",)
    )
    cursor = await connection.execute(
        "SELECT user_id FROM identities WHERE issuer = %s AND subject = %s", identity[:2]
    )
    row = await cursor.fetchone()
    if row:
        return UUID(str(row[0]))
    user = await find_by_email(connection, identity.email, lock=True)
    if user is None:
        new = NewUser(identity.email, identity.first_name, identity.last_name, None)
        user = await add_user(connection, new)
    else:
        await _check_free(connection, identity.issuer, user.id)
        await connection.execute("UPDATE users SET password = NULL WHERE id = %s", (user.id,))
        await drop_reset_token(connection, user.id)
        await end_sessions(connection, user.id)
    await connection.execute(
        "INSERT INTO identities (issuer, subject, user_id) VALUES (%s, %s, %s)", (*identity[:2], user.id)
    )
    await record(connection, Event("identity.linked", user.id))
    return user.id


async def _check_free(connection: Connection, issuer: str, user_id: UUID) -> None:
    cursor = await connection.execute(
        "SELECT 1 FROM identities WHERE issuer = %s AND user_id = %s LIMIT 1", (issuer, user_id)
    )
    if await cursor.fetchone():
        raise ProviderRefused(
            "the account of your e-mail is another person's at the provider; ask an owner or administrator"
        )
