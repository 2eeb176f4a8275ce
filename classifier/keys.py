"""Who is calling: the API key of a call becomes the service it opens."""

import math
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any
from uuid import UUID

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.duration_pb2 import Duration

from mien.v1 import access_pb2
from serving.faults import ApiKeyMalformed, ApiKeyMissing, ApiKeyUnknown, Overloaded, StoreUnavailable
from serving.guard import Context, ServerInterceptor, guarded
from serving.origin import origin
from serving.status import reason_of
from store.attempts import Attempts
from store.audit import Actor, act_as
from store.database import Database
from store.patience import soon
from store.services import Service, ServiceType, find_service, hash_of

HEADER = "x-api-key"
REMEMBERED = 10_000  # keys
LIFETIME = 1.0  # seconds a key is believed without asking Postgres: a revoked key opens no longer than that,
# or, while Postgres is away, than the staleness that the call and the settings both allow.

# The service type whose key opens an RPC, as the contract says of it; None: no key is needed.
TYPES: Mapping[int, ServiceType | None] = {
    access_pb2.ACCESS_ANYBODY: None,
    access_pb2.ACCESS_RECOGNITION: "recognition",
    access_pb2.ACCESS_DETECTION: "detection",
    access_pb2.ACCESS_VERIFICATION: "verification",
}
HEALTH = "/grpc.health.v1.Health/"  # open to anybody

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_caller: ContextVar[Service] = ContextVar("caller")


def caller() -> Service:
    """The service whose key the call in progress carries."""
    return _caller.get()


def gallery() -> UUID:
    """The gallery that the call in progress may read and write. Its service is one that recognises."""
    gallery_id = caller().gallery_id
    assert gallery_id, "only a recognition service gets here"
    return gallery_id


def acts(service: Service, context: Context) -> None:
    """From here on the audit log has this service's key as who acts in the call in progress."""
    act_as(Actor("key", service.id, origin(context), service.id))


@cache
def needed_for(method: str) -> ServiceType | None:
    """What type of key opens the RPC of a path such as "/mien.v1.GalleryService/AddFace"; None: none."""
    rpc = descriptor_pool.Default().FindMethodByName(method.strip("/").replace("/", "."))
    return TYPES[rpc.GetOptions().Extensions[access_pb2.access]]  # one without a rule stays shut


class Keys(ServerInterceptor):
    """Lets a call in if its key opens a service of the type it needs.

    `max_staleness` is how long, in seconds, a key that did is believed while Postgres is away. `attempts`
    counts the calls that are refused, for the audit log.
    """

    def __init__(
        self, database: Database, max_staleness: float = 0.0, attempts: Attempts | None = None
    ) -> None:
        self._database = database
        self._max_staleness = max_staleness
        self._attempts = attempts
        self._known: OrderedDict[bytes, tuple[float, Service]] = OrderedDict()

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(HEALTH):
            return handler
        needed = needed_for(details.method)
        if needed is None:
            return handler
        return guarded(handler, lambda context, request: self._let_in(context, needed, _allowed(request)))

    async def opened(
        self, key: str | bytes | None, needed: ServiceType, max_staleness: float = 0.0
    ) -> Service:
        """The service of this type that the key opens, or did so many seconds ago if Postgres is away.

        Raises ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown, StoreUnavailable.
        """
        if not key:
            raise ApiKeyMissing(f"send the service's API key as {HEADER}")
        if not isinstance(key, str) or not _UUID.fullmatch(key):
            raise ApiKeyMalformed("an API key is a UUID, as `mien services create` printed it")
        service = await self._find(hash_of(key), min(max_staleness, self._max_staleness))
        if service is None or service.type != needed:
            raise ApiKeyUnknown(f"no {needed} service has this API key", service_type=needed)
        return service

    @asynccontextmanager
    async def _let_in(
        self, context: Context, needed: ServiceType, max_staleness: float
    ) -> AsyncIterator[None]:
        key = dict(context.invocation_metadata() or ()).get(HEADER)
        try:
            service = await self.opened(key, needed, max_staleness)
        except (ApiKeyMalformed, ApiKeyUnknown) as fault:
            if self._attempts:
                self._attempts.note("key.refused", reason_of(fault), origin(context))
            raise
        # These are set for the call's own task; that of another call knows nothing of them.
        _caller.set(service)
        acts(service, context)
        yield

    async def _find(self, key_hash: bytes, max_staleness: float) -> Service | None:
        now = time.monotonic()
        asked, service = self._known.get(key_hash, (-math.inf, None))
        if now - asked < LIFETIME:
            return service
        try:
            found = await soon(find_service(self._database, key_hash), hurry=max_staleness > 0)
        except (StoreUnavailable, Overloaded):
            if service and time.monotonic() - asked <= max_staleness:
                return service
            raise
        self._known.pop(key_hash, None)
        if found:
            self._known[key_hash] = now, found
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return found


def _allowed(request: Any) -> float:
    """The staleness, in seconds, that a request allows; 0 unless its RPC knows of such a thing."""
    duration = getattr(request, "max_staleness", None)
    return duration.seconds + duration.nanos / 1e9 if isinstance(duration, Duration) else 0.0
