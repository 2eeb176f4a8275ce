"""The audit log: who did what to which object, when, from where, and what came of it.

An event holds ids and numbers: no name of a person, no image, embedding or key.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from store.database import Connection

# A service's API key; a user who has signed in; `mien` at a terminal; the mesh itself, as retention does;
# somebody whom nothing lets in.
ActorKind = Literal["key", "user", "command", "mien", "nobody"]

OK = "ok"

# What there is to tell, and of what kind of object. docs/audit.md has the same, in a table.
ACTIONS: Mapping[str, str] = {
    "face.added": "face",
    "faces.added": "gallery",
    "face.erased": "face",
    "faces.erased": "gallery",
    "images.erased": "gallery",
    "image.downloaded": "face",
    "subject.created": "subject",
    "subject.renamed": "subject",
    "subject.merged": "subject",
    "subject.erased": "subject",
    "subject.exported": "subject",
    "gallery.cleared": "gallery",
    "gallery.moved": "gallery",
    "service.created": "service",
    "service.changed": "service",
    "service.deleted": "service",
    "key.created": "key",
    "key.renamed": "key",
    "key.revoked": "key",
    "key.refused": "service",
    "application.created": "application",
    "application.changed": "application",
    "application.deleted": "application",
    "member.added": "application",
    "member.changed": "application",
    "member.removed": "application",
    "user.created": "user",
    "user.changed": "user",
    "user.deleted": "user",
    "password.changed": "user",
    "password.link": "user",
    "identity.linked": "user",
    "session.opened": "user",
    "session.closed": "user",
    "session.refused": "user",
    "audit.exported": "audit",
    "audit.trimmed": "audit",
}


class Actor(NamedTuple):
    """Who acts."""

    kind: ActorKind
    id: UUID | None = None  # of the key or the user
    origin: str | None = None  # the IP address that Envoy was called from
    service_id: UUID | None = None  # that the key opens


MIEN = Actor("mien")
COMMAND = Actor("command")

_acting: ContextVar[Actor] = ContextVar("acting", default=MIEN)


class Event(NamedTuple):
    """Something that was done, or refused."""

    action: str  # one of ACTIONS
    object_id: UUID | None = None
    # Whom it is about: ids of subjects.
    subjects: Sequence[UUID] = ()
    # Numbers, and short words of ours.
    details: Mapping[str, int | str] = {}
    result: str = OK  # or the reason of a refusal, as callers are told it
    service_id: UUID | None = None  # whose object it is; the gallery's, or the actor's, if None
    gallery_id: UUID | None = None
    actor: Actor | None = None  # who acts in this task if None


def acting() -> Actor:
    """Who acts in the task in progress: the mesh itself, unless `act_as` has said otherwise."""
    return _acting.get()


def act_as(actor: Actor) -> None:
    """From here on, in this task and those that it starts."""
    _acting.set(actor)


async def record(connection: Connection, event: Event) -> UUID:
    """Writes an event in the transaction of what it tells of, and returns its id."""
    id_, parameters = _row(event)
    await connection.execute(_INSERT, parameters)
    return id_


def record_sync(connection: psycopg.Connection[Any], event: Event) -> UUID:
    """Does the same for the command line. What is told of should be in the same transaction."""
    id_, parameters = _row(event)
    connection.execute(_INSERT, parameters)
    return id_


_INSERT = """
    INSERT INTO audit_inbox (
        id, actor, actor_id, origin, action, object, object_id, service_id, subjects, result, details
    ) VALUES (
        %s, %s, %s, %s, %s, %s, %s,
        coalesce(%s, (SELECT service_id FROM galleries WHERE id = %s), %s), %s, %s, %s
    )
"""


def _row(event: Event) -> tuple[UUID, tuple[object, ...]]:
    actor, id_ = event.actor or acting(), uuid4()
    return id_, (
        id_,
        actor.kind,
        actor.id,
        actor.origin,
        event.action,
        ACTIONS[event.action],
        event.object_id,
        event.service_id,
        event.gallery_id,
        actor.service_id,
        list(event.subjects),
        event.result,
        Jsonb(dict(event.details)),
    )
