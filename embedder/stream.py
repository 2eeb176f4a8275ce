"""The `Embed` stream: faces that have been cut out come in, embeddings go out as soon as they are ready."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

import numpy as np

from embedder.detector import Pixels
from embedder.pipeline import Pipeline
from mien.v1 import embedder_pb2 as pb
from serving.faults import ArgumentInvalid, Fault
from serving.metrics import CallMetrics
from serving.status import to_status
from serving.streaming import answered

MOST = 128  # faces in a message
WINDOW = 256  # faces of a stream that are under way: read, and not yet answered


def embedded(
    pipeline: Pipeline, requests: AsyncIterable[pb.EmbedRequest], metrics: CallMetrics
) -> AsyncGenerator[pb.EmbedResponse, None]:
    """The answers to a stream of requests, in the order they are ready.

    Reads on only while there is room in the WINDOW, and so holds that much at most, whatever a client
    sends and does not fetch.
    """
    line = object()  # of this stream, among those that take turns
    return answered(
        requests,
        lambda request: _answered(pipeline, request, line, metrics),
        room=WINDOW,
        needs=lambda request: min(WINDOW, max(1, _count(request, pipeline.pack.chip_size))),
    )


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
