"""The `AddFaces` stream: faces come in, and are answered as soon as they are committed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from uuid import UUID

from classifier import edges
from classifier.batches import Batches
from classifier.enrolment import Enrolment
from classifier.messages import stored_face
from mien.v1 import gallery_pb2 as pb
from serving.faults import ArgumentInvalid, Fault, Overloaded
from serving.metrics import CallMetrics
from serving.status import to_status
from serving.streaming import answered
from store.additions import Added, NewFace

STREAMS = 32  # at once
WINDOW = 16 << 20  # bytes of a stream that are read and not yet answered
LEAST = WINDOW // 512  # bytes that a face counts at least: so 512 of them are under way at most
IMAGES = 8  # of a stream, at the embedders at once
COME_AGAIN = 1.0  # seconds after which a stream that was refused may try


class Adding:
    """`still` is asked before each face whether its call may go on: it raises a Fault if not."""

    def __init__(
        self,
        enrolment: Enrolment,
        batches: Batches,
        metrics: CallMetrics,
        still: Callable[[], Awaitable[None]],
    ) -> None:
        self._enrolment = enrolment
        self._batches = batches
        self._metrics = metrics
        self._still = still
        self._streams = 0

    async def answers(
        self, gallery_id: UUID, requests: AsyncIterable[pb.AddFacesRequest]
    ) -> AsyncGenerator[pb.AddFacesResponse, None]:
        """The answers to a stream of requests, in the order they are ready. Raises Overloaded."""
        with self._admitted():
            images, line = asyncio.Semaphore(IMAGES), object()

            async def answer(request: pb.AddFacesRequest) -> pb.AddFacesResponse:
                try:
                    await self._still()
                    face = await self._face(gallery_id, request, images)
                    if isinstance(face, NewFace):
                        face = await self._batches.add(gallery_id, face, line)
                    return pb.AddFacesResponse(
                        id=request.id, face=stored_face(face.face), revision=face.revision
                    )
                except Fault as fault:
                    self._metrics.refused(fault)
                    return pb.AddFacesResponse(id=request.id, error=to_status(fault))

            async with aclosing(answered(requests, answer, room=WINDOW, needs=_needed)) as responses:
                async for response in responses:
                    yield response

    async def _face(
        self, gallery_id: UUID, request: pb.AddFacesRequest, images: asyncio.Semaphore
    ) -> NewFace | Added:
        """The face of a request, or the one that was enrolled already under its key."""
        subject, key = edges.subject(request.subject), edges.idempotency_key(request.idempotency_key)
        match request.WhichOneof("face"):
            case "embedded":
                face = request.embedded
                return await self._enrolment.embedded(face.embedding, face.model, face.image, subject, key)
            case "image":
                wanted = edges.enrolled(request)
                async with images:
                    return await self._enrolment.photographed(gallery_id, request.image, subject, wanted, key)
            case _:
                raise ArgumentInvalid("a face is either an image or embedded; send one", field="face")

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """A place among the streams. Raises Overloaded if there is none."""
        if self._streams >= STREAMS:
            raise Overloaded(
                f"{STREAMS} streams of faces are open at this server; try again later", COME_AGAIN
            )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1


def _needed(request: pb.AddFacesRequest) -> int:
    """What a request counts in the window, in bytes."""
    return min(WINDOW, max(LEAST, request.ByteSize()))
