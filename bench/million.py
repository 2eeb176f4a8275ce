"""A mesh with a gallery of a million faces: python -m bench.million [FACES]

The faces are of people who do not exist (bench/synthetic.py), and are put into Postgres by COPY. Measured are
how long a classifier takes until it has loaded them, the memory it then has, and what callers meet who
recognise photographs, 20 a second, alone and while others enrol.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import grpc
import numpy as np
import psutil
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.enrolment import database_url
from bench.mesh import Running, running
from bench.results import percentile, write
from bench.synthetic import PER_SUBJECT, people
from embedder.fetching.cache import default_cache
from embedder.samples import photographs
from mien.v1 import embedder_pb2, gallery_pb2, recognition_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from store.services import create_service

MILLION = 1_000_000
SECONDS = 30.0  # of each measurement
SEARCHES = 20  # a second
ENROLMENTS = 2  # a second

Call = Callable[[], Awaitable[object]]


def fill(url: str, gallery_id: UUID, model: str, dimension: int, count: int) -> float:
    """Writes that many faces into an empty gallery; returns the seconds that Postgres took."""
    began = time.perf_counter()
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        subjects = [uuid4() for _ in range(-(-count // PER_SUBJECT))]
        with cursor.copy("COPY subjects (id, gallery_id, name, folded) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "uuid", "text", "text"])
            for number, subject in enumerate(subjects):
                copy.write_row((subject, gallery_id, f"Person number {number}", f"person number {number}"))
        with cursor.copy(
            "COPY faces (id, gallery_id, subject_id, embedding, model) FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["uuid", "uuid", "uuid", "bytea", "text"])
            number = 0
            for rows in people(count, dimension):
                for row in rows:
                    subject = subjects[number // PER_SUBJECT]
                    copy.write_row((uuid4(), gallery_id, subject, row.tobytes(), model))
                    number += 1
        cursor.execute(
            "UPDATE galleries SET model = %s, dimension = %s, revision = 1, floor = 1 WHERE id = %s",
            (model, dimension, gallery_id),
        )
    return time.perf_counter() - began


async def at_rate(call: Call, rate: float, seconds: float) -> list[float]:
    """Calls that often, whether earlier calls are answered or not; the seconds that each took, ascending."""
    took: list[float] = []

    async def once() -> None:
        began = time.perf_counter()
        await call()
        took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            group.create_task(once())
    return sorted(took)


async def until_answered(call: Call) -> float:
    """Calls until the gallery is there; returns the seconds that took."""
    began = time.perf_counter()
    while True:
        try:
            await call()
            return time.perf_counter() - began
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise


def memory() -> float:
    """Resident bytes of the classifier."""
    mine = psutil.Process().children(recursive=True)
    return sum(each.memory_info().rss for each in mine if "classifier" in each.cmdline()[-1:])


async def measure(mesh: Running, count: int) -> dict[str, float]:
    photograph = photographs(default_cache())["obama"].read_bytes()
    async with grpc.aio.insecure_channel(mesh.embedder) as channel:
        told = await EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest())
    model = told.model
    url = database_url(mesh)
    with psycopg.connect(url) as connection:
        _, secret = create_service(connection, "a million", "recognition")[:2]
        (gallery_id,) = connection.execute(
            "SELECT galleries.id FROM galleries JOIN services ON services.id = service_id"
            " WHERE name = 'a million'"
        ).fetchone() or (None,)
    rows = {
        "faces": float(count),
        "to fill Postgres, s": await asyncio.to_thread(
            fill, url, gallery_id, model.name, model.dimension, count
        ),
    }
    key = [("x-api-key", secret)]
    probe = recognition_pb2.RecognizeEmbeddingsRequest(
        embeddings=[recognition_pb2.Embedding(values=np.eye(1, model.dimension)[0].tolist())]
    )
    before = memory()
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        recognition, gallery = RecognitionServiceStub(channel), GalleryServiceStub(channel)

        async def recognise() -> None:
            await recognition.Recognize(recognition_pb2.RecognizeRequest(image=photograph), metadata=key)

        async def search() -> None:
            await recognition.RecognizeEmbeddings(probe, metadata=key)

        async def enrol() -> None:
            await gallery.AddFace(
                gallery_pb2.AddFaceRequest(image=photograph, subject="Somebody"), metadata=key
            )

        rows["to load, s"] = await until_answered(search)
        rows["memory, bytes a face"] = (memory() - before) / count
        alone = await at_rate(search, 5, SECONDS / 3)
        one = await at_rate(recognise, 2, SECONDS / 3)
        searches, enrolments = await asyncio.gather(
            at_rate(search, SEARCHES, SECONDS), at_rate(enrol, ENROLMENTS, SECONDS)
        )
    for name, took in {
        "search, 5 a second": alone,
        "recognise a photograph, 2 a second": one,
        f"search, {SEARCHES} a second, while others enrol": searches,
        f"enrol, {ENROLMENTS} a second, meanwhile": enrolments,
    }.items():
        rows[f"{name}: p50 ms"] = 1e3 * percentile(took, 0.5)
        rows[f"{name}: p99 ms"] = 1e3 * percentile(took, 0.99)
    return rows


def main(count: int = MILLION) -> None:
    console = Console()
    with running() as mesh:
        rows = uvloop.run(measure(mesh, count))
    table = Table("what", "")
    for name, value in rows.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    console.print(f"wrote {write('million', rows=[rows])}")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
