"""Counts the calls of a gRPC server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from serving.guard import Context, ServerInterceptor, guarded
from serving.metrics import CallMetrics

# Seconds: a caller's clock began to run before the call was here. So who gives up with less than that to go
# is one whose time was up.
ON_THE_WAY = 0.05


class Calls(ServerInterceptor):
    """Comes first among the interceptors of a server, so that it sees how each call ends.

    Methods that the server does not have are not counted: their names are the callers' invention.
    """

    def __init__(self, metrics: CallMetrics) -> None:
        self._metrics = metrics

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        method = details.method.removeprefix("/")
        return guarded(handler, lambda context, _: self._counted(context, method))

    @asynccontextmanager
    async def _counted(self, context: Context, method: str) -> AsyncIterator[None]:
        began = time.perf_counter()
        self._metrics.began(method)
        code = grpc.StatusCode.OK
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):  # a stream that nobody reads on is closed
            code = grpc.StatusCode.CANCELLED
            raise
        finally:
            left = context.time_remaining()
            if left is not None and left <= (ON_THE_WAY if code is grpc.StatusCode.CANCELLED else 0):
                code = grpc.StatusCode.DEADLINE_EXCEEDED
            told: grpc.StatusCode | None = context.code()  # of a call that was refused
            self._metrics.ended(method, told or code, time.perf_counter() - began)
