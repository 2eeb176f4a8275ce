"""kill -9 of Postgres or of the classifier in the middle of AddFaces: who sends again has each face once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import psycopg

from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving import faults
from serving.probe import is_serving
from serving.status import from_status
from tests.classifier.conftest import PATIENCE
from tests.classifier.test_adding import ready
from tests.galleries import new_service
from tests.postgres import Server, free_port

FACES = 3000
RETRYABLE = (faults.StoreUnavailable, faults.Overloaded, faults.EmbedderUnavailable)
SOON = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


class Importing:
    """Sends faces until each has been acknowledged, and remembers every acknowledgement."""

    def __init__(self, key: str, count: int) -> None:
        self._key = [("x-api-key", key)]
        self._left = {number: ready(number, f"subject {number % 9}", f"{number}") for number in range(count)}
        self.told: dict[int, set[str]] = {number: set() for number in self._left}
        self.calls = 0

    @property
    def acknowledged(self) -> int:
        return sum(map(bool, self.told.values()))

    async def run(self, address: str) -> None:
        async with asyncio.timeout(90):
            while self._left:
                self.calls += 1
                async with grpc.aio.insecure_channel(address, SOON) as channel:
                    try:
                        await self._call(GalleryServiceStub(channel))
                    except grpc.aio.AioRpcError as error:
                        if error.code() != grpc.StatusCode.UNAVAILABLE:
                            raise
                        await asyncio.sleep(0.1)

    async def _call(self, gallery: Any) -> None:
        requests = list(self._left.values())
        async for answer in gallery.AddFaces(iter(requests), metadata=self._key):
            if answer.HasField("error"):
                assert isinstance(from_status(answer.error), RETRYABLE), answer.error
                await asyncio.sleep(0.001)
            else:
                self.told[answer.id].add(answer.face.face_id)
                del self._left[answer.id]


def check(url: str, gallery_id: UUID, importing: Importing) -> None:
    """Each face is there once, as it was acknowledged, and the change log says so too."""
    with psycopg.connect(url) as connection:
        faces = connection.execute(
            "SELECT idempotency_key, id::text FROM faces WHERE gallery_id = %s", (gallery_id,)
        ).fetchall()
        log = connection.execute(
            "SELECT revision, id::text FROM changes WHERE gallery_id = %s ORDER BY revision", (gallery_id,)
        ).fetchall()
        head = connection.execute("SELECT revision FROM galleries WHERE id = %s", (gallery_id,)).fetchone()
    assert {int(key): {face} for key, face in faces} == importing.told
    assert [revision for revision, _ in log] == list(range(1, len(faces) + 1))
    assert {face for _, face in log} == {face for _, face in faces}
    assert head == (len(faces),)


async def acknowledging(importing: Importing, count: int) -> None:
    async with asyncio.timeout(60):
        while importing.acknowledged < count:
            await asyncio.sleep(0.005)


@contextmanager
def classifying(address: str, url: str, embedder: str) -> Iterator[subprocess.Popen[bytes]]:
    """A classifier of the test's own, which may be killed."""
    environment = {"CLASSIFIER_LISTEN": address, "DATABASE_URL": url, "CLASSIFIER_EMBEDDER": embedder}
    process = subprocess.Popen([sys.executable, "-m", "classifier"], env=os.environ | environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_serving(address, 0.2):
            assert time.monotonic() < deadline
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


async def test_a_killed_postgres_loses_no_acknowledged_face_and_doubles_none(
    postgres: Server, database_url: str, embedder: str
) -> None:
    service, key = new_service(database_url)
    assert service.gallery_id
    address = f"127.0.0.1:{free_port()}"
    with classifying(address, database_url, embedder):
        importing = Importing(key, FACES)
        running = asyncio.create_task(importing.run(address))
        for part in (FACES // 4, FACES // 2):
            await acknowledging(importing, part)
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.wait)
        await running
        check(database_url, service.gallery_id, importing)


async def test_a_killed_classifier_loses_no_acknowledged_face_and_doubles_none(
    database_url: str, embedder: str
) -> None:
    service, key = new_service(database_url)
    assert service.gallery_id
    address = f"127.0.0.1:{free_port()}"
    importing = Importing(key, FACES)
    with classifying(address, database_url, embedder) as process:
        running = asyncio.create_task(importing.run(address))
        await acknowledging(importing, FACES // 3)
        process.kill()
        await asyncio.to_thread(process.wait)
    with classifying(address, database_url, embedder):
        await running
        assert importing.calls > 1
        check(database_url, service.gallery_id, importing)
        again = Importing(key, FACES)  # all of it, once more
        await again.run(address)
        assert again.told == importing.told
        check(database_url, service.gallery_id, again)
