"""A stream of requests, each answered as soon as it is done, and read only while there is room."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")


async def answered(
    requests: AsyncIterable[Request],
    answer: Callable[[Request], Awaitable[Response]],
    *,
    room: int,
    needs: Callable[[Request], int],
) -> AsyncGenerator[Response, None]:
    """What `answer` makes of each request, in the order they are ready. What it raises ends the stream.

    Requests that have been read and whose answers have not been taken need `room` at most, whatever a client
    sends and does not fetch; one of them `needs` 1 to `room`.
    """
    window = _Window(room)
    answers: asyncio.Queue[tuple[Response, int] | None] = asyncio.Queue()

    async def work() -> None:
        async def one(request: Request, needed: int) -> None:
            answers.put_nowait((await answer(request), needed))

        async with asyncio.TaskGroup() as group:
            async for request in requests:
                needed = needs(request)
                await window.enter(needed)
                group.create_task(one(request, needed))

    working = asyncio.create_task(work())
    working.add_done_callback(lambda _: answers.put_nowait(None))  # behind all answers; also when it fails
    try:
        while (done := await answers.get()) is not None:
            response, needed = done
            yield response
            window.leave(needed)
        try:
            await working
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
    finally:  # the caller has gone, or its deadline has passed: what waits is dropped
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


class _Window:
    """Room for requests under way. One enters at a time."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._left = asyncio.Event()

    async def enter(self, needed: int) -> None:
        """Returns once there is room for it."""
        while self._room < needed:
            self._left.clear()
            await self._left.wait()
        self._room -= needed

    def leave(self, needed: int) -> None:
        self._room += needed
        self._left.set()
