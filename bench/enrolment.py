"""Faces a second that AddFaces enrols, beside raw COPY: python -m bench.enrolment [FACES]

Embeddings are ready-made, of 128 values, four of each subject. In turns: COPY of the same rows, in one
transaction by psycopg alone, which is the limit; one stream, with idempotency keys or without; eight streams,
alone and while others search the gallery and write into it. All streams come from one client process,
through Envoy, as a user's would.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import grpc
import numpy as np
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.mesh import Running, running
from bench.results import percentile, write
from mien.v1 import embedder_pb2, recognition_pb2
from mien.v1 import gallery_pb2 as pb
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from store.services import create_service

ROUNDS = 3
FACES = 20_000  # in each turn
OF_A_SUBJECT = 4
UNDER_WAY = 500  # faces that a stream has sent and not been answered, at most
PAUSE = 0.05  # seconds between the calls of others
GOAL = 2000  # faces a second


class Turn(NamedTuple):
    seconds: float
    waits: list[float]  # seconds from sending a face to its answer
    batches: int  # transactions, which have a moment each
    writes: list[float]  # seconds that others' single writes took meanwhile
    searches: list[float]  # and searches


class Kind(NamedTuple):
    name: str
    streams: int
    keys: bool = False
    others: bool = False  # search the gallery and write into it meanwhile


KINDS = (
    Kind("1 stream", 1),
    Kind("1 stream, with keys", 1, keys=True),
    Kind("8 streams", 8),
    Kind("8 streams, and others", 8, others=True),
)


async def enrol(mesh: Running, model: str, vectors: np.ndarray, kind: Kind) -> Turn:
    """Streams all vectors into a gallery of its own."""
    with psycopg.connect(database_url(mesh)) as connection:
        key = create_service(connection, f"bench {uuid4()}", "recognition")[1]
    parts = np.array_split(np.arange(len(vectors)), kind.streams)
    requests = [[request(each, vectors, model, kind.keys) for each in part.tolist()] for part in parts]
    writes: list[float] = []
    searches: list[float] = []
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        meanwhile = others(channel, key, vectors, writes, searches) if kind.others else asyncio.sleep(0)
        meeting = asyncio.create_task(meanwhile)
        began = time.perf_counter()
        told = await asyncio.gather(*(stream(channel, key, each) for each in requests))
        seconds = time.perf_counter() - began
        meeting.cancel()
        await asyncio.gather(meeting, return_exceptions=True)
    waits, moments = zip(*told, strict=True)
    together = [wait for each in waits for wait in each]
    return Turn(seconds, together, len(set().union(*moments)), writes, searches)


async def others(
    channel: grpc.aio.Channel, key: str, vectors: np.ndarray, writes: list[float], searches: list[float]
) -> None:
    """Makes subjects and searches, one call after the other, and notes how long each takes."""
    probe = recognition_pb2.RecognizeEmbeddingsRequest(
        embeddings=[recognition_pb2.Embedding(values=vectors[0].tolist())]
    )
    gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
    while True:
        await asyncio.sleep(PAUSE)
        began = time.perf_counter()
        subject = pb.CreateSubjectRequest(subject=str(uuid4()))
        await gallery.CreateSubject(subject, metadata=[("x-api-key", key)])
        between = time.perf_counter()
        writes.append(between - began)
        await recognition.RecognizeEmbeddings(probe, metadata=[("x-api-key", key)])
        searches.append(time.perf_counter() - between)


def request(number: int, vectors: np.ndarray, model: str, keyed: bool) -> pb.AddFacesRequest:
    return pb.AddFacesRequest(
        id=number,
        subject=f"subject {number // OF_A_SUBJECT}",
        embedded=pb.EmbeddedFace(embedding=vectors[number].tolist(), model=model),
        idempotency_key=str(uuid4()) if keyed else "",
    )


async def stream(
    channel: grpc.aio.Channel, key: str, requests: list[pb.AddFacesRequest]
) -> tuple[list[float], set[datetime]]:
    """Seconds that each face took, and the moments of their transactions."""
    sent: dict[int, float] = {}
    room = asyncio.Semaphore(UNDER_WAY)

    async def sending() -> AsyncIterator[pb.AddFacesRequest]:
        for each in requests:
            await room.acquire()
            sent[each.id] = time.perf_counter()
            yield each

    waits, moments = [], set()
    async for answer in GalleryServiceStub(channel).AddFaces(sending(), metadata=[("x-api-key", key)]):
        if answer.HasField("error"):
            raise SystemExit(f"a face was refused: {answer.error.message}")
        waits.append(time.perf_counter() - sent[answer.id])
        room.release()
        moments.add(answer.face.created_at.ToJsonString())
    return waits, moments


def copy(mesh: Running, model: str, vectors: np.ndarray) -> float:
    """Seconds that COPY takes for the same rows."""
    with psycopg.connect(database_url(mesh)) as connection:
        gallery = create_service(connection, f"bench {uuid4()}", "recognition")[0].gallery_id
        connection.commit()
        began = time.perf_counter()
        names = [f"subject {each}" for each in range(-(-len(vectors) // OF_A_SUBJECT))]
        subjects = [(uuid4(), gallery, name, name) for name in names]
        faces = [
            (uuid4(), gallery, subjects[each // OF_A_SUBJECT][0], vector.tobytes(), model)
            for each, vector in enumerate(vectors)
        ]
        changes = [(gallery, each + 1, "face added", face[0]) for each, face in enumerate(faces)]
        _copy(connection, "subjects (id, gallery_id, name, folded)", "uuid uuid text text", subjects)
        _copy(
            connection,
            "faces (id, gallery_id, subject_id, embedding, model)",
            "uuid uuid uuid bytea text",
            faces,
        )
        _copy(connection, "changes (gallery_id, revision, kind, id)", "uuid int8 text uuid", changes)
        connection.execute("UPDATE galleries SET revision = %s WHERE id = %s", (len(faces), gallery))
        connection.commit()
        return time.perf_counter() - began


def _copy(connection: psycopg.Connection[Any], table: str, types: str, rows: list[Any]) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copying:
        copying.set_types(types.split())
        for row in rows:
            copying.write_row(row)


def database_url(mesh: Running) -> str:
    return str(json.loads((Path(mesh.data) / "mesh.json").read_text())["database_url"])


async def measure(mesh: Running, faces: int) -> list[dict[str, Any]]:
    """A row for each kind of turn: medians over the rounds."""
    async with grpc.aio.insecure_channel(mesh.embedder) as channel:
        served = (await EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest())).model
    vectors = np.random.default_rng(0).standard_normal((faces, served.dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    copied: list[float] = []
    turns: dict[str, list[Turn]] = {kind.name: [] for kind in KINDS}
    await enrol(mesh, served.name, vectors[:1000], KINDS[0])  # warm
    for _ in range(ROUNDS):
        copied.append(await asyncio.to_thread(copy, mesh, served.name, vectors))
        for kind in KINDS:
            turns[kind.name].append(await enrol(mesh, served.name, vectors, kind))
    rows = [{"what": "COPY alone", "a second": faces / statistics.median(copied), "of COPY": 1.0}]
    for name, each in turns.items():
        shares = [limit / turn.seconds for limit, turn in zip(copied, each, strict=True)]
        rows.append(
            {
                "what": name,
                "a second": faces / statistics.median(turn.seconds for turn in each),
                "of COPY": statistics.median(shares),
                "faces a batch": faces / statistics.median(turn.batches for turn in each),
                **milliseconds("", [wait for turn in each for wait in turn.waits]),
                **milliseconds("a write, ", [wait for turn in each for wait in turn.writes]),
                **milliseconds("a search, ", [wait for turn in each for wait in turn.searches]),
            }
        )
    return rows


def milliseconds(what: str, seconds: list[float]) -> dict[str, float]:
    ascending = sorted(seconds)
    shares = {"p50": 0.5, "p99": 0.99} if ascending else {}
    return {f"{what}{name} ms": 1e3 * percentile(ascending, share) for name, share in shares.items()}


async def main(faces: int) -> None:
    load = os.getloadavg()[0]
    with running() as mesh:
        rows = await measure(mesh, faces)
    table = Table(*rows[-1])
    for row in rows:
        values = [row.get(name, "") for name in rows[-1]]
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    console = Console()
    console.print(table)
    console.print(f"load of the machine before: {load:.1f}; the goal is {GOAL} a second")
    console.print(f"wrote {write('enrolment', faces=faces, rounds=ROUNDS, load=load, rows=rows)}")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if sys.argv[1:] else FACES))
