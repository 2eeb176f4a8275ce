"""Who is calling, and whether they may: an access token becomes a user with their roles as they are now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import grpc

from admin.cookies import ACCESS_COOKIE, cookie, metadata_of
from admin.rules import Target, judge, rule_of
from mien.v1 import access_pb2
from serving.faults import SignInRequired
from serving.guard import Context, ServerInterceptor, guarded
from serving.origin import origin
from store.audit import Actor, act_as
from store.database import Database
from store.sessions import Caller, find_caller

HEALTH = "/grpc.health.v1.Health/"  # open to anybody

_caller: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """Whose call is in progress. Somebody has signed in."""
    return _caller.get()


def acts(user_id: UUID, context: Context) -> None:
    """From here on the audit log has this user as who acts in the call in progress."""
    act_as(Actor("user", user_id, origin(context)))


class Callers(ServerInterceptor):
    """Lets a call in if the contract says that whoever makes it may."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(HEALTH):
            return handler
        rule = rule_of(details.method)
        if rule == access_pb2.ACCESS_ANYBODY:
            return guarded(handler, lambda context, _: self._stranger(context))
        return guarded(handler, lambda context, request: self._let_in(context, rule, request))

    @asynccontextmanager
    async def _stranger(self, context: Context) -> AsyncIterator[None]:
        act_as(Actor("nobody", None, origin(context)))
        yield

    @asynccontextmanager
    async def _let_in(
        self, context: Context, rule: "access_pb2.Access.ValueType", request: Any
    ) -> AsyncIterator[None]:
        app_id = getattr(request, "app_id", "")
        token = _bearer(context) or cookie(context, ACCESS_COOKIE)
        found = None
        if token:
            async with self._database.statement() as connection:
                found = await find_caller(connection, token, as_uuid(app_id))
        if found is None:
            raise SignInRequired("sign in, and send the access token as authorization: Bearer TOKEN")
        judge(rule, found, Target(app_id, as_uuid(getattr(request, "user_id", ""))))
        # These are set for the call's own task; that of another call knows nothing of them.
        _caller.set(found)
        acts(found.user.id, context)
        yield


def as_uuid(text: str) -> UUID | None:
    """What is no UUID is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _bearer(context: Context) -> str | None:
    scheme, _, token = metadata_of(context).get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
