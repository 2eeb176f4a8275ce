"""Turns photographs away before they are read, while there is no place for them to wait."""

from typing import Any

import grpc

from embedder.pool import Pool, refusal
from mien.v1 import embedder_pb2
from serving.guard import Context, ServerInterceptor

ANALYZE = f"/{embedder_pb2.DESCRIPTOR.services_by_name['EmbedderService'].full_name}/Analyze"


class Door(ServerInterceptor):
    """Comes last among the interceptors: what is refused before it is read leaves time for others."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if details.method != ANALYZE or not self._pool.full:
            return handler
        # As if it took a stream, which is left alone: a method that takes one message is called with it.
        return grpc.stream_unary_rpc_method_handler(
            self._refuse, handler.request_deserializer, handler.response_serializer
        )

    async def _refuse(self, _: Any, context: Context) -> None:
        raise refusal()
