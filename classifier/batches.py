"""Faces that callers add, written in batches: what arrives while one is being written makes the next."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from store.additions import Added, Additions, NewFace
from store.audit import acting

MOST = 500  # faces in a batch: the gallery is locked for some hundredths of a second
# Where an index of vectors is kept up they would lock it for many seconds: so many, or what takes so long.
FEW, LONG = 16, 1.0  # faces, seconds
MOST_BYTES = 8 << 20  # of their images, after which a batch gets no other face
AT_ONCE = 4  # batches, of different galleries; the other connections to Postgres are left to other calls


class _Waiting(NamedTuple):
    face: NewFace
    answer: asyncio.Future[Added]


class Batches:
    """Each batch is one transaction. Of a gallery one is written at a time; lines of callers take turns."""

    def __init__(self, additions: Additions) -> None:
        self._additions = additions
        self._queues: dict[UUID, _Queue] = {}
        self._writers: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def add(self, gallery_id: UUID, face: NewFace, line: object) -> Added:
        """Returns once the face is committed. Who gives up before the face's turn takes it along.

        How much waits is for the callers to limit. Raises the faults of Additions.add.
        """
        answer: asyncio.Future[Added] = asyncio.get_running_loop().create_future()
        queue = self._queues.get(gallery_id)
        if queue is None:
            queue = self._queues[gallery_id] = _Queue()
            writer = asyncio.create_task(self._write(gallery_id, queue))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        # The writer's task is of whoever came first: each face must say whose it is.
        queue.put(line, _Waiting(face._replace(by=face.by or acting()), answer))
        return await answer

    async def _write(self, gallery_id: UUID, queue: "_Queue") -> None:
        """Writes all that waits for a gallery."""
        try:
            while not queue.is_empty():
                async with self._room:
                    if batch := queue.take():
                        began = time.monotonic()
                        await self._settle(gallery_id, batch)
                        queue.took(len(batch), time.monotonic() - began)
        finally:
            del self._queues[gallery_id]

    async def _settle(self, gallery_id: UUID, batch: list[_Waiting]) -> None:
        """Writes a batch, and tells each who waits."""
        outcomes: Sequence[Added | Exception]
        try:
            outcomes = await self._additions.add_all(gallery_id, [each.face for each in batch])
        except Exception as fault:  # of all of them
            outcomes = [fault] * len(batch)
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.answer.done():  # its caller has gone
                continue
            if isinstance(outcome, Exception):
                each.answer.set_exception(outcome)
            else:
                each.answer.set_result(outcome)


class _Queue:
    """What waits for a gallery, in lines of which each is first in, first out."""

    def __init__(self) -> None:
        self._lines: dict[object, deque[_Waiting]] = {}  # the one whose turn it is first
        self._most = MOST

    def put(self, line: object, waiting: _Waiting) -> None:
        self._lines.setdefault(line, deque()).append(waiting)

    def is_empty(self) -> bool:
        return not self._lines

    def took(self, faces: int, seconds: float) -> None:
        """How long a batch took, for the size of the next."""
        if faces >= FEW:
            self._most = min(MOST, max(FEW, int(faces * LONG / max(seconds, 1e-6))))

    def take(self) -> list[_Waiting]:
        """The next batch: of each line a face in turn. Empty if all callers have gone."""
        batch: list[_Waiting] = []
        size = 0
        while self._lines and len(batch) < self._most and size < MOST_BYTES:
            line, waiting = next(iter(self._lines.items()))
            del self._lines[line]
            each = waiting.popleft()
            if waiting:
                self._lines[line] = waiting
            if not each.answer.done():
                batch.append(each)
                size += len(each.face.image or b"")
        return batch
