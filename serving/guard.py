"""Runs the method of a gRPC handler, of any of the four kinds, inside a context manager."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:  # generic for the type checker alone
    Context = grpc.aio.ServicerContext[Any, Any]
    ServerInterceptor = grpc.aio.ServerInterceptor
else:
    Context, ServerInterceptor = grpc.aio.ServicerContext, grpc.aio.ServerInterceptor

# Gets the request too; of a method that takes a stream, the stream, which it must leave alone.
Guard = Callable[[Context, Any], AbstractAsyncContextManager[None]]


def guarded(handler: "grpc.RpcMethodHandler[Any, Any]", guard: Guard) -> "grpc.RpcMethodHandler[Any, Any]":
    """The same handler, whose calls run inside `guard(context, request)`."""
    kind = ("stream" if handler.request_streaming else "unary") + (
        "_stream" if handler.response_streaming else "_unary"
    )
    method = getattr(handler, kind)

    async def one(request: Any, context: Context) -> Any:
        async with guard(context, request):
            return await method(request, context)

    async def many(request: Any, context: Context) -> AsyncIterator[Any]:
        async with guard(context, request), aclosing(method(request, context)) as responses:
            async for response in responses:
                yield response

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    # One that streams may also be a coroutine, which writes its responses by itself, as health's Watch does.
    behaviour = many if inspect.isasyncgenfunction(method) else one
    return make(behaviour, handler.request_deserializer, handler.response_serializer)  # type: ignore[no-any-return]
