"""Histories of calls at three replicas, some of them killed meanwhile, could have happened one after another.

What shows that the check is worth something: with reads that do not ask Postgres for the newest revision (the
guard of freshness taken away, in processes otherwise alike) it finds a history that could not.
"""

import asyncio
import math
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import psycopg
import pytest

from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from store.services import create_service
from tests.classifier.linearizing import UNKNOWN, Call, is_linearizable
from tests.classifier.replicas import Replica, embedding, embedding_images, image, replicas
from tests.postgres import Server, new_database

SEEDS = 100
KILLS = {20, 50, 80}  # seeds during which a replica is killed
MOVING = 40  # seeds during which galleries move
TOGETHER = 4  # seeds at once, each with a gallery of its own
CLIENTS = 4
CALLS = 6  # of a client
SUBJECTS = ["Ann", "Ben", "Cem"]
PROBE = recognition_pb2.RecognizeEmbeddingsRequest(
    embeddings=[recognition_pb2.Embedding(values=embedding(1))], max_matches=1000
)
# What tells that a call may have been done or not.
LOST = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}

# Reads that answer what they hold.
SPOILT = """
from classifier.galleries import Galleries, NEWEST
fresh = Galleries.fresh
async def held(self, gallery_id, wanted=NEWEST):
    return self._shelf.get(gallery_id) or await fresh(self, gallery_id, wanted)
Galleries.fresh = held
"""


# Galleries move as soon as that is wanted, and do not stay.
IN_HASTE = """
from classifier import moving
from store import homes
moving.POLL, homes.GRACE = 0.01, 0.05
"""


class Client:
    """Calls random replicas and writes down when, and what came of it."""

    def __init__(
        self, channels: list[grpc.aio.Channel], key: str, history: list[Call], seed: str, pause: float
    ) -> None:
        self._stubs = [(GalleryServiceStub(each), RecognitionServiceStub(each)) for each in channels]
        self._metadata = (("x-api-key", key),)
        self._history = history
        self._lot = random.Random(seed)
        self._pause = pause  # seconds between calls, at most
        self._mine: dict[int, str] = {}  # faces that were acknowledged, and their ids

    async def run(self, first: int) -> None:
        """Its faces have numbers from `first` on."""
        for number in range(first, first + CALLS):
            lot = self._lot
            await asyncio.sleep(self._pause * lot.random())
            kind = lot.choices(["add", "search", "delete", "rename", "delete subject"], [4, 4, 2, 1, 0.5])[0]
            if kind == "add":
                await self._call(kind, number, lot.choice(SUBJECTS))
            elif kind == "delete" and self._mine:
                await self._call(kind, lot.choice(list(self._mine)))
            elif kind == "rename":
                await self._call(kind, *lot.sample(SUBJECTS, 2))
            elif kind == "delete subject":
                await self._call(kind, lot.choice(SUBJECTS))
            else:
                await self._call("search")

    async def _call(self, kind: str, *arguments: int | str) -> None:
        gallery, recognition = self._lot.choice(self._stubs)
        began = time.monotonic()
        try:
            answer = await self._answer(gallery, recognition, kind, arguments)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                answer = "missing"
            else:
                if error.code() not in LOST:
                    raise
                if kind != "search":
                    self._history.append(Call(began, math.inf, kind, arguments, UNKNOWN))
                return
        self._history.append(Call(began, time.monotonic(), kind, arguments, answer))

    async def _answer(
        self, gallery: GalleryServiceStub, recognition: RecognitionServiceStub, kind: str, arguments: tuple
    ) -> object:
        sent = {"metadata": self._metadata, "timeout": 10}
        if kind == "add":
            number, subject = arguments
            request = gallery_pb2.AddFaceRequest(image=image(cosine(number)), subject=subject)
            self._mine[number] = (await gallery.AddFace(request, **sent)).face.face_id
            return "added"
        if kind == "delete":
            request = gallery_pb2.DeleteFaceRequest(face_id=self._mine[arguments[0]])
            return (await gallery.DeleteFace(request, **sent)).subject
        if kind == "rename":
            request = gallery_pb2.RenameSubjectRequest(subject=arguments[0], new_subject=arguments[1])
            return "merged" if (await gallery.RenameSubject(request, **sent)).merged else "renamed"
        if kind == "delete subject":
            request = gallery_pb2.DeleteSubjectRequest(subject=arguments[0])
            return (await gallery.DeleteSubject(request, **sent)).faces
        (result,) = (await recognition.RecognizeEmbeddings(PROBE, **sent)).results
        return tuple((match.subject, numbered(match.cosine)) for match in result.matches)


def cosine(number: int) -> float:
    """Of a face to the probe: the lower the number, the more alike."""
    return 0.9 - number / 100


def numbered(cosine: float) -> int:
    return round((0.9 - cosine) * 100)


async def write_history(
    history: list[Call], seed: int, key: str, channels: list[grpc.aio.Channel], pause: float = 0.0
) -> None:
    clients = [Client(channels, key, history, f"{seed} {number}", pause) for number in range(CLIENTS)]
    await asyncio.gather(*(client.run(number * CALLS) for number, client in enumerate(clients)))


@asynccontextmanager
async def reached(running: list[Replica]) -> AsyncIterator[list[grpc.aio.Channel]]:
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(each.address, options))
            for each in running
        ]


@pytest.fixture(scope="module")
def url(postgres: Server) -> Iterator[str]:
    with new_database(postgres) as url:
        yield url


@pytest.fixture
def keys(url: str) -> list[str]:
    """Of empty galleries, one for each seed."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [create_service(connection, os.urandom(8).hex(), "recognition")[1] for _ in range(SEEDS)]


@pytest.fixture(scope="module")
def embedder() -> Iterator[str]:
    with embedding_images() as address:
        yield address


async def test_every_history_could_have_happened_one_call_after_another(
    url: str, keys: list[str], embedder: str
) -> None:
    seeds = iter(range(SEEDS))
    unknown = 0

    async def work(channels: list[grpc.aio.Channel], running: list[Replica]) -> None:
        nonlocal unknown
        for seed in seeds:
            history: list[Call] = []
            going = asyncio.create_task(write_history(history, seed, keys[seed], channels))
            if seed in KILLS:
                victim = running[seed % len(running)]
                while len(history) < CLIENTS:  # in its midst
                    await asyncio.sleep(0.001)
                victim.kill()
                victim.start()
            await going
            unknown += sum(call.answer is UNKNOWN for call in history)
            assert await asyncio.to_thread(is_linearizable, history), (seed, sorted(history))

    with replicas(url, embedder) as running:
        async with reached(running) as channels:
            await asyncio.gather(*(work(channels, running) for _ in range(TOGETHER)))
        for each in running:
            await asyncio.to_thread(each.await_serving)
    assert unknown, "no kill has cut off a write: they come too late"


async def test_reads_that_do_not_ask_are_caught(url: str, keys: list[str], embedder: str) -> None:
    with replicas(url, embedder, 2, SPOILT) as running:
        async with reached(running) as channels:
            for seed in range(SEEDS):
                history: list[Call] = []
                await write_history(history, seed, keys[seed], channels)
                if not is_linearizable(history):
                    return
    pytest.fail("no stale read was found")


async def test_histories_are_no_others_while_galleries_move(url: str, keys: list[str], embedder: str) -> None:
    seeds, homes, done = iter(range(MOVING)), set(), asyncio.Event()

    async def move() -> None:
        """Changes its mind all the time, about all that have faces."""
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while not done.is_set():
                await connection.execute(
                    "UPDATE galleries SET wanted_home = CASE wanted_home WHEN 'memory' THEN 'database'"
                    " ELSE 'memory' END WHERE dimension IS NOT NULL AND random() < 0.5"
                )
                for _ in range(10):
                    found = await connection.execute("SELECT home FROM galleries WHERE dimension IS NOT NULL")
                    homes.update(home for (home,) in await found.fetchall())
                    await asyncio.sleep(0.01)

    async def work(channels: list[grpc.aio.Channel]) -> None:
        for seed in seeds:
            history: list[Call] = []
            await write_history(history, seed, keys[seed], channels, pause=0.15)
            assert await asyncio.to_thread(is_linearizable, history), (seed, sorted(history))

    with replicas(url, embedder, spoilt=IN_HASTE) as running:
        async with reached(running) as channels:
            moving = asyncio.create_task(move())
            await asyncio.gather(*(work(channels) for _ in range(TOGETHER)))
            done.set()
            await moving
    assert {"memory", "both", "database"} <= homes


A, B = ("add", (1, "Ann"), "added"), ("add", (2, "Ben"), "added")
BOTH = ("search", (), (("Ann", 1), ("Ben", 2)))
ONLY_A, ONLY_B = ("search", (), (("Ann", 1),)), ("search", (), (("Ben", 2),))


@pytest.mark.parametrize(
    ("calls", "linearizable"),
    [
        ([(0, 1, *A), (2, 3, *B), (4, 5, *BOTH)], True),
        ([(0, 1, *A), (2, 3, *B), (4, 5, *ONLY_A)], False),  # stale
        ([(0, 1, *A), (2, 6, *B), (4, 5, *ONLY_A)], True),  # both orders may be
        ([(0, 1, *A), (2, 9, *B), (3, 4, *BOTH), (5, 6, *ONLY_A)], False),  # seen, and then not
        ([(0, 9, *A), (0, 9, *B), (3, 4, *ONLY_A), (5, 6, *ONLY_B)], False),  # two orders at once
        ([(0, math.inf, "add", (1, "Ann"), UNKNOWN), (2, 3, *ONLY_A)], True),  # it happened
        ([(0, math.inf, "add", (1, "Ann"), UNKNOWN), (2, 3, "search", (), ())], True),  # or not, or later
        ([(0, math.inf, "add", (1, "Ann"), UNKNOWN), (2, 3, *ONLY_A), (4, 5, "search", (), ())], False),
        (
            [(0, 1, *A), (2, 3, "rename", ("Ann", "Ben"), "renamed"), (4, 5, "search", (), (("Ben", 1),))],
            True,
        ),
        ([(0, 1, *A), (2, 3, *B), (4, 5, "rename", ("Ann", "Ben"), "renamed")], False),  # it merges
        ([(0, 1, *A), (2, 3, "delete", (1,), "Ann"), (4, 5, "delete", (1,), "missing")], True),
        ([(0, 1, *A), (2, 3, "delete subject", ("Ann",), 1), (4, 5, *ONLY_A)], False),
    ],
)
def test_the_checker_knows_good_histories_from_bad(calls: list, linearizable: bool) -> None:
    assert is_linearizable([Call(*call) for call in calls]) is linearizable
