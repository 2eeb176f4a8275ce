"""Who is calling: the API key of a call becomes the service it opens, for what it may do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from uuid import UUID

import grpc
from google.protobuf.duration_pb2 import Duration

from classifier.allowances import Allowances
from classifier.guesses import Guesses
from classifier.keyring import Keyring
from classifier.rules import Rule, rule_for
from serving.faults import (
    ApiKeyGuessed,
    ApiKeyMalformed,
    ApiKeyMissing,
    ApiKeyScope,
    ApiKeyUnknown,
    Fault,
)
from serving.guard import Context, ServerInterceptor, guarded
from serving.origin import origin, owner
from serving.status import reason_of
from store.attempts import Attempts
from store.audit import Actor, act_as
from store.callers import Caller
from store.keys import FORM, hash_of

HEADER = "x-api-key"
HEALTH = "/grpc.health.v1.Health/"  # open to anybody


class _LetIn(NamedTuple):
    caller: Caller
    rule: Rule


_call: ContextVar[_LetIn] = ContextVar("call")


def gallery() -> UUID:
    """The gallery that the call in progress may read and write. Its service is one that recognises."""
    gallery_id = _call.get().caller.gallery_id
    assert gallery_id, "only a recognition service gets here"
    return gallery_id


def service() -> UUID:
    """The service that the key of the call in progress opens."""
    return _call.get().caller.service_id


def most_faces() -> int | None:
    """How many faces the gallery may have for the call in progress to add another; None: any number."""
    return _call.get().caller.limits.max_faces


def acts(caller: Caller, context: Context) -> None:
    """From here on the audit log has this key as who acts in the call in progress."""
    act_as(Actor("key", caller.key_id, origin(context), caller.service_id))


class Keys(ServerInterceptor):
    """Lets a call in if its key opens a service of the type it needs, for what it wants, and has not used up
    what it may.

    `max_staleness` is how long, in seconds, a key is believed while Postgres is away, by calls that allow it.
    `attempts` counts the calls that are refused, for the audit log.
    """

    def __init__(
        self,
        keyring: Keyring,
        allowances: Allowances,
        max_staleness: float = 0.0,
        attempts: Attempts | None = None,
    ) -> None:
        self._keyring = keyring
        self._allowances = allowances
        self._max_staleness = max_staleness
        self._attempts = attempts
        self._guesses = Guesses()

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(HEALTH):
            return handler
        rule = rule_for(details.method)
        if rule is None:
            return handler
        return guarded(handler, lambda context, request: self._guard(context, rule, _allowed(request)))

    async def opened(
        self, key: str | bytes | None, rule: Rule, context: Context, max_staleness: float = 0.0
    ) -> Caller:
        """As `let_in`, for a call; who is refused is told of in the audit log."""
        try:
            return await self.let_in(key, rule, owner(context), max_staleness)
        except (ApiKeyMalformed, ApiKeyUnknown, ApiKeyScope, ApiKeyGuessed) as fault:
            if self._attempts:
                self._attempts.note("key.refused", reason_of(fault), origin(context))
            raise

    async def let_in(
        self, key: str | bytes | None, rule: Rule, address: str, max_staleness: float = 0.0
    ) -> Caller:
        """Who holds the key, if a call of this rule may be made with it now, and counts it.

        Raises ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown, ApiKeyGuessed, ApiKeyScope, RateExceeded,
        QuotaExceeded, StoreUnavailable, Overloaded.
        """
        if not key:
            raise ApiKeyMissing(f"send the service's API key as {HEADER}")
        if not isinstance(key, str) or not FORM.fullmatch(key):
            raise ApiKeyMalformed("an API key is a UUID, as `mien keys create` printed it")
        caller = await self._found(hash_of(key), rule, address, min(max_staleness, self._max_staleness))
        _check_scope(caller, rule)
        await self._allowances.spend_request(caller)
        return caller

    async def still(self) -> None:
        """Whether the key of the call in progress opens what it did: for those that last.

        Raises ApiKeyUnknown, ApiKeyScope, StoreUnavailable, Overloaded.
        """
        caller, rule = _call.get()
        now = await self._keyring.find(caller.key_hash, rule.type)
        if now is None:
            raise _unknown(rule)
        _check_scope(now, rule)

    async def spend_image(self) -> None:
        """Counts an image of the call in progress. Raises QuotaExceeded, StoreUnavailable."""
        await self._allowances.spend_image(_call.get().caller)

    @asynccontextmanager
    async def _guard(self, context: Context, rule: Rule, max_staleness: float) -> AsyncIterator[None]:
        key = dict(context.invocation_metadata() or ()).get(HEADER)
        caller = await self.opened(key, rule, context, max_staleness)
        # These are set for the call's own task; that of another call knows nothing of them.
        _call.set(_LetIn(caller, rule))
        acts(caller, context)
        yield

    async def _found(self, key_hash: bytes, rule: Rule, address: str, max_staleness: float) -> Caller:
        if self._keyring.is_known(key_hash, rule.type):  # so it is no guess, whoever else is at this address
            caller = await self._keyring.find(key_hash, rule.type, max_staleness)
        else:
            self._guesses.begin(address)
            try:
                caller = await self._keyring.find(key_hash, rule.type, max_staleness)
            except Fault:
                self._guesses.was_none(address)
                raise
            if caller:
                self._guesses.was_none(address)
        if caller is None:
            raise _unknown(rule)
        return caller


def _check_scope(caller: Caller, rule: Rule) -> None:
    if not caller.may(rule.scope):
        raise ApiKeyScope(
            f"this API key is not for that; send one with the scope {rule.scope}", scope=rule.scope
        )


def _unknown(rule: Rule) -> ApiKeyUnknown:
    return ApiKeyUnknown(f"no {rule.type} service has this API key", service_type=rule.type)


def _allowed(request: Any) -> float:
    """The staleness, in seconds, that a request allows; 0 unless its RPC knows of such a thing."""
    duration = getattr(request, "max_staleness", None)
    return duration.seconds + duration.nanos / 1e9 if isinstance(duration, Duration) else 0.0
