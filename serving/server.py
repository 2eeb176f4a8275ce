"""How every service of the mesh runs: health, refusals, and a clean end."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.guard import ServerInterceptor
from serving.limits import MAX_REQUEST, largest_message

log = logging.getLogger(__name__)

GRACE = 5.0  # seconds a call in progress may take to end once the process is told to stop


async def serve(
    listen: str,
    register: Callable[[grpc.aio.Server], None],
    *,
    interceptors: Sequence[ServerInterceptor],
    max_request: int = MAX_REQUEST,
    background: Sequence[Coroutine[Any, Any, None]] = (),
    ready: Coroutine[Any, Any, None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, or until a background task ends, which is fatal.

    gRPC health says SERVING once `ready` has returned, and NOT_SERVING from the moment the process is
    told to stop. A port that is taken is an OSError.
    """
    server = grpc.aio.server(
        interceptors=interceptors,
        options=[
            *sizes(max_request),
            ("grpc.so_reuseport", 0),  # a port that is taken must be an error, not a coin toss
        ],
    )
    register(server)
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    await state.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    try:
        server.add_insecure_port(listen)
    except RuntimeError as error:
        for never in (*background, *([ready] if ready else [])):
            never.close()
        raise OSError(f"cannot listen on {listen}: is it HOST:PORT, and is the port free?") from error

    told_to_stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, told_to_stop.set)

    await server.start()
    tasks = [asyncio.create_task(work) for work in background]
    starting = asyncio.create_task(_say_ready(state, ready, listen))
    stopping = asyncio.create_task(told_to_stop.wait())
    watched = {*tasks, stopping, starting}
    ended: set[asyncio.Task[Any]] = set()
    while not ended:
        done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        ended = {task for task in done if task is not starting or task.exception()}
    await state.enter_graceful_shutdown()
    await server.stop(GRACE)
    for task in watched:
        task.cancel()
    await asyncio.gather(*watched, return_exceptions=True)
    for task in ended:
        task.result()  # raises what ended it
    log.info("stopped")


def sizes(max_request: int) -> list[tuple[str, int]]:
    """The options of a server or a channel that carries requests of so many bytes."""
    most = largest_message(max_request)
    return [("grpc.max_receive_message_length", most), ("grpc.max_send_message_length", most)]


async def _say_ready(state: Any, ready: Coroutine[Any, Any, None] | None, listen: str) -> None:
    if ready:
        await ready
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    log.info("serving on %s", listen)
