"""The only place where an exception becomes a gRPC status."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from google.rpc import status_pb2

from serving.faults import Fault
from serving.guard import Context, ServerInterceptor, guarded
from serving.metrics import CallMetrics
from serving.status import to_status

log = logging.getLogger(__name__)


class Told(NamedTuple):
    """What a caller is told of a fault, or of an unforeseen exception."""

    code: grpc.StatusCode  # of the call
    status: status_pb2.Status  # goes along as its detail
    headers: tuple[tuple[str, str], ...] = ()  # go ahead, as initial metadata


Telling = Callable[[Exception, Context], Told]


def natively(exception: Exception, _: Context) -> Told:
    """A Fault with its code, reason and facts; anything unforeseen as a bare INTERNAL."""
    if isinstance(exception, Fault):
        return Told(exception.code, to_status(exception))
    code = grpc.StatusCode.INTERNAL
    return Told(
        code,
        status_pb2.Status(code=code.value[0], message="internal error; the server's log has its trace"),
    )


class Refusals(ServerInterceptor):
    """Tells callers what went wrong, and the log what they must not see.

    `tellings` holds, by the full name of a proto service, how its callers are told if not natively.
    """

    def __init__(self, metrics: CallMetrics, tellings: Mapping[str, Telling] | None = None) -> None:
        self._metrics = metrics
        self._tellings = tellings or {}

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        telling = self._tellings.get(details.method.split("/")[1], natively)
        return guarded(handler, lambda context, _: self._told(context, details.method, telling))

    @asynccontextmanager
    async def _told(self, context: Context, method: str, telling: Telling) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.AbortError:
            raise
        except Exception as exception:
            if isinstance(exception, Fault):
                self._metrics.refused(exception)
            else:
                log.exception("%s failed", method)
            told = telling(exception, context)
            if told.headers:
                await context.send_initial_metadata(told.headers)
            context.set_trailing_metadata((("grpc-status-details-bin", told.status.SerializeToString()),))
            await context.abort(told.code, told.status.message)
