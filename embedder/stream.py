"""The `Embed` stream: faces that have been cut out come in, embeddings go out as soon as they are ready."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence

import numpy as np

from embedder.detector import Pixels
from embedder.pipeline import Pipeline
from mien.v1 import embedder_pb2 as pb
from serving.faults import ArgumentInvalid, Fault
from serving.metrics import CallMetrics
from serving.status import to_status

MOST = 128  # faces in a message
WINDOW = 256  # faces of a stream that are under way: read, and not yet answered


async def embedded(
    pipeline: Pipeline, requests: AsyncIterable[pb.EmbedRequest], metrics: CallMetrics
) -> AsyncIterator[pb.EmbedResponse]:
    """The answers to a stream of requests, in the order they are ready.

    Reads on only while there is room in the WINDOW, and so holds that much at most, whatever a client
    sends and does not fetch.
    """
    window = _Window(WINDOW)
    answers: asyncio.Queue[tuple[pb.EmbedResponse, int] | None] = asyncio.Queue()
    line = object()  # of this stream, among those that take turns

    async def answer(request: pb.EmbedRequest, faces: int) -> None:
        answers.put_nowait((await _answered(pipeline, request, line, metrics), faces))

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            async for request in requests:
                faces = min(WINDOW, max(1, _count(request, pipeline.pack.chip_size)))
                await window.enter(faces)
                group.create_task(answer(request, faces))

    working = asyncio.create_task(work())
    working.add_done_callback(lambda _: answers.put_nowait(None))  # behind all answers; also when it fails
    try:
        while (done := await answers.get()) is not None:
            response, faces = done
            yield response
            window.leave(faces)
        await working
    finally:  # the caller has gone, or its deadline has passed: what waits is dropped
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _answered(
    pipeline: Pipeline, request: pb.EmbedRequest, line: object, metrics: CallMetrics
) -> pb.EmbedResponse:
    try:
        errors: list[pb.FaceError] = []
        chips: Sequence[Pixels | None]
        if request.WhichOneof("faces") == "files":
            chips = await _read(pipeline, request.files.files, errors, metrics)
        else:
            chips = _cut_apart(request.chips, pipeline.pack.chip_size)
        good = [chip for chip in chips if chip is not None]
        rows = iter(await pipeline.embed(good, line))
        nothing = np.zeros(pipeline.pack.dimension, np.float32)
        embeddings = [nothing if chip is None else next(rows) for chip in chips]
        packed = np.stack(embeddings).astype("<f4").tobytes()
        return pb.EmbedResponse(id=request.id, embeddings=packed, errors=errors)
    except Fault as fault:
        metrics.refused(fault)
        return pb.EmbedResponse(id=request.id, error=to_status(fault))


def _cut_apart(packed: bytes, size: int) -> Sequence[Pixels]:
    count, rest = divmod(len(packed), size * size * 3)
    if rest or not 1 <= count <= MOST:
        raise ArgumentInvalid(f"chips is 1 to {MOST} faces of {size} x {size} x 3 bytes each", field="chips")
    return list(np.frombuffer(packed, np.uint8).reshape(count, size, size, 3))


async def _read(
    pipeline: Pipeline, files: Sequence[bytes], errors: list[pb.FaceError], metrics: CallMetrics
) -> list[Pixels | None]:
    """The chips of files; of those that cannot be read None, and in `errors` why."""
    if not 1 <= len(files) <= MOST:
        raise ArgumentInvalid(f"files has 1 to {MOST} images", field="files")
    chips: list[Pixels | None] = []
    for index, file in enumerate(files):
        try:
            chips.append(await pipeline.read_chip(file))
        except Fault as fault:
            metrics.refused(fault)
            chips.append(None)
            errors.append(pb.FaceError(index=index, error=to_status(fault)))
    return chips


def _count(request: pb.EmbedRequest, size: int) -> int:
    return max(len(request.files.files), len(request.chips) // (size * size * 3))


class _Window:
    """Room for so many faces."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._left = asyncio.Event()

    async def enter(self, faces: int) -> None:
        """Returns once there is room for them."""
        while self._room < faces:
            self._left.clear()
            await self._left.wait()
        self._room -= faces

    def leave(self, faces: int) -> None:
        self._room += faces
        self._left.set()
