"""Galleries move between memory and Postgres, and nobody who searches or writes can tell."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from classifier import moving
from classifier.galleries import Freshness, Galleries
from classifier.hashes import Hashes
from classifier.matrix import Hit
from classifier.moving import Mover
from classifier.shelf import OF_A_FACE
from classifier.stored import Stored
from classifier.vacuums import Vacuums
from serving.faults import GalleryBehind, GalleryTooLarge, PgvectorMissing
from store import homes, vectors
from store.database import Database
from store.follower import Follower
from store.gallery import GalleryStore
from store.vectors import packed, table
from tests.galleries import DIMENSION, embedding, enrol

PLENTY = 1 << 30  # bytes
FACE = 4 * DIMENSION + OF_A_FACE  # bytes


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "POLL", 0.05)
    monkeypatch.setattr(moving, "SCANNED", 50)
    monkeypatch.setattr(homes, "GRACE", 0.5)
    monkeypatch.setattr(vectors, "_PAGE", 20)


@asynccontextmanager
async def replica(url: str, budget: int = PLENTY) -> AsyncIterator[Galleries]:
    """One that follows the log and moves galleries, in this process."""
    async with Database(url) as database:
        mover = Mover(database, budget)
        galleries = Galleries(database, budget, 10.0, outgrown=mover.outgrown)
        tasks = [
            asyncio.create_task(each) for each in (Follower(database, galleries.catch_up).run(), mover.run())
        ]
        try:
            yield galleries
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def found(galleries: Galleries, gallery_id: UUID, seed: int) -> Hit | None:
    """The face that is nearest to the embedding of a seed."""
    view = await galleries.fresh(gallery_id)
    probe = np.frombuffer(embedding(seed), "<f4")
    if isinstance(view, Stored):
        (hits,) = await view.search([probe], 1, distinct=True, exact=True)
    else:
        (hits,) = view.matrix.search(probe[None], 1, distinct=True)
    return hits[0] if hits else None


async def want(url: str, gallery_id: UUID, place: homes.Place) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await homes.want(connection, gallery_id, place)  # type: ignore[arg-type]


async def home(url: str, gallery_id: UUID) -> homes.Placed:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await homes.placed(connection, gallery_id)  # type: ignore[arg-type]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def arrived(url: str, gallery_id: UUID, place: homes.Place) -> None:
    async def there() -> bool:
        return (await home(url, gallery_id)).home == place

    await until(there)


async def test_nobody_can_tell_when_a_gallery_moves(
    database: Database, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for seed in range(120):
        await enrol(store, gallery_id, "Zoe", seed)
    stop, calls = asyncio.Event(), 0
    seen: set[type] = set()

    async def work(first: int, replicas: list[Galleries]) -> None:
        """Adds and erases, and looks at once at any replica whether that is so."""
        nonlocal calls
        lot, mine, number = random.Random(first), {}, first
        while not stop.is_set():
            number += 1
            mine[number] = (await enrol(store, gallery_id, f"Person {number}", number)).face.face_id
            hit = await found(lot.choice(replicas), gallery_id, number)
            assert hit
            assert hit.face_id == mine[number], "an acknowledged face is missed"
            if lot.random() < 0.5:
                gone, face_id = mine.popitem()
                await store.erase_face(gallery_id, face_id)
                hit = await found(lot.choice(replicas), gallery_id, gone)
                assert hit
                assert hit.face_id != face_id, "an erased face is found"
            seen.add(type(await lot.choice(replicas).fresh(gallery_id)))
            calls += 1

    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(database_url)) for _ in range(3)]
        for each in replicas:
            await each.fresh(gallery_id)
        workers = [asyncio.create_task(work(1000 * (1 + number), replicas)) for number in range(3)]
        for place in ("database", "memory", "database"):
            await want(database_url, gallery_id, place)
            arriving = asyncio.create_task(arrived(database_url, gallery_id, place))
            await asyncio.wait([arriving, *workers], return_when=asyncio.FIRST_COMPLETED)
            await arriving
            before = calls
            while calls < before + 20 and not any(each.done() for each in workers):
                await asyncio.sleep(0.01)
            if place == "database":
                assert (await home(database_url, gallery_id)).indexed
        stop.set()
        await asyncio.gather(*workers)
        assert len(seen) == 2

        # What was in memory has left it, and all have the same.
        async def is_empty() -> bool:
            return not any(each.held() for each in replicas)

        await until(is_empty)
        states = {await Hashes(each).newest(gallery_id) for each in replicas}
        assert len(states) == 1
        await want(database_url, gallery_id, "memory")
        await arrived(database_url, gallery_id, "memory")
        assert (await Hashes(replicas[0]).newest(gallery_id)).total == states.pop().total


async def test_who_finds_a_gallery_half_way_goes_on(
    store: GalleryStore, gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(120):
        await enrol(store, gallery_id, "Zoe", seed)
    await want(database_url, gallery_id, "database")
    for step in ("fill", "build_index"):
        reached, real = asyncio.Event(), getattr(vectors, step)

        async def cut_off(*given: object, reached: asyncio.Event = reached) -> None:
            reached.set()
            await asyncio.sleep(60)

        with monkeypatch.context() as patch:
            patch.setattr(vectors, step, cut_off)
            async with replica(database_url) as galleries:
                await reached.wait()
                assert await found(galleries, gallery_id, 7)
        assert real is getattr(vectors, step)
    assert (await home(database_url, gallery_id)).home == "both"
    async with replica(database_url) as galleries:
        await arrived(database_url, gallery_id, "database")
        assert (await home(database_url, gallery_id)).indexed
        assert isinstance(await galleries.fresh(gallery_id), Stored)


async def test_a_gallery_that_is_on_its_way_turns_back(
    store: GalleryStore, gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(60):
        await enrol(store, gallery_id, "Zoe", seed)
    await want(database_url, gallery_id, "database")
    reached, go_on = asyncio.Event(), asyncio.Event()
    build = vectors.build_index

    async def slow(*given: object) -> None:
        reached.set()
        await go_on.wait()
        await build(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(vectors, "build_index", slow)
    async with replica(database_url) as galleries:
        await reached.wait()
        await want(database_url, gallery_id, "memory")
        go_on.set()
        await arrived(database_url, gallery_id, "memory")
        assert await found(galleries, gallery_id, 7)

        async def is_swept() -> bool:
            async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
                left = await connection.execute("SELECT to_regclass(%s)", (table(gallery_id),))
                return await left.fetchone() == (None,)

        await until(is_swept)


async def test_a_gallery_moves_before_it_outgrows_memory(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for seed in range(7):
        await enrol(store, gallery_id, "Zoe", seed)
    async with replica(database_url, 10 * FACE) as galleries:
        await galleries.fresh(gallery_id)
        await asyncio.sleep(0.2)
        assert (await home(database_url, gallery_id)).wanted_home == "memory"
        await enrol(store, gallery_id, "Zoe", 7)
        assert await found(galleries, gallery_id, 7)
        await arrived(database_url, gallery_id, "database")

        async def has_left() -> bool:
            return not galleries.held()

        await until(has_left)  # without being asked for it
        assert isinstance(await galleries.fresh(gallery_id), Stored)


async def test_one_that_is_too_large_already_is_there_soon(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for seed in range(30):
        await enrol(store, gallery_id, "Zoe", seed)
    async with replica(database_url, 10 * FACE) as galleries:

        async def answers() -> bool:
            with suppress(GalleryBehind):
                return bool(await found(galleries, gallery_id, 3))
            return False

        with pytest.raises(GalleryBehind, match="moves into Postgres"):
            await galleries.fresh(gallery_id)
        await until(answers)
        assert not galleries.held()


async def test_it_is_searched_in_postgres_while_its_index_is_built(
    store: GalleryStore, gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(60):
        await enrol(store, gallery_id, "Zoe", seed)
    building = asyncio.Event()

    async def long(*given: object) -> None:
        building.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(vectors, "build_index", long)
    async with replica(database_url, 10 * FACE) as small, replica(database_url) as large:
        await large.fresh(gallery_id)
        with pytest.raises(GalleryBehind):
            await small.fresh(gallery_id)
        await building.wait()
        assert isinstance(await small.fresh(gallery_id), Stored)
        assert not isinstance(await large.fresh(gallery_id), Stored)
        assert await found(small, gallery_id, 5) == await found(large, gallery_id, 5)
        state = await Hashes(large).newest(gallery_id)
        assert (state.home, state.moving_to) == ("memory", "database")


@pytest.fixture
def lacking(database_url: str) -> Iterator[str]:
    """A Postgres without pgvector."""
    with psycopg.connect(database_url, autocommit=True) as made:
        made.execute("CREATE SCHEMA lacking")
        made.execute(
            "CREATE VIEW lacking.pg_available_extensions (name, default_version, installed_version)"
            " AS SELECT 'vector', NULL, NULL WHERE false"
        )
    return make_conninfo(database_url, options="-c search_path=public,lacking,pg_catalog")


async def test_without_pgvector_all_else_goes_on_and_a_line_says_what_to_do(
    store: GalleryStore, gallery_id: UUID, lacking: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for seed in range(30):
        await enrol(store, gallery_id, "Zoe", seed)
    async with Database(lacking) as database:
        with pytest.raises(PgvectorMissing, match="install it"):
            await Mover(database, PLENTY).move(gallery_id, "database")
    async with replica(lacking, 10 * FACE) as galleries:

        async def is_refused() -> bool:
            with suppress(GalleryBehind):
                with pytest.raises(GalleryTooLarge):
                    await galleries.fresh(gallery_id)
                return True
            return False

        await until(is_refused)
        await asyncio.sleep(0.3)
    said = [each.message for each in caplog.records]
    assert len(said) == 1
    assert "pgvector" in said[0]
    async with replica(lacking) as galleries:
        assert await found(galleries, gallery_id, 3)


async def test_one_that_does_not_fit_is_not_moved_to_memory(
    database: Database, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for seed in range(30):
        await enrol(store, gallery_id, "Zoe", seed)
    async with replica(database_url, 10 * FACE):
        await want(database_url, gallery_id, "database")
        await arrived(database_url, gallery_id, "database")
        with pytest.raises(GalleryTooLarge):
            await Mover(database, 10 * FACE).move(gallery_id, "memory")
        placed = await Mover(database, PLENTY).move(gallery_id, "memory")
        assert (placed.now, placed.moving_to) == ("database", "memory")


async def test_min_revision_counts_there_too(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Zoe")
    async with replica(database_url) as galleries:
        await want(database_url, gallery_id, "database")
        await arrived(database_url, gallery_id, "database")
        revision = (await enrol(store, gallery_id, "Ann", 1)).revision
        assert (await galleries.fresh(gallery_id, Freshness(min_revision=revision))).revision == revision


async def test_a_vacuum_wipes_what_was_erased_from_the_index(
    database: Database, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    faces = [(await enrol(store, gallery_id, "Zoe", seed)).face for seed in range(120)]
    async with replica(database_url):
        await want(database_url, gallery_id, "database")
        await arrived(database_url, gallery_id, "database")
    erased, kept = (0, 60, 119), 5
    numbers = b"".join(packed(embedding(seed))[4:] for seed in (*erased, kept))
    rows = np.frombuffer(numbers, ">f2").astype("<f2").reshape(4, -1)

    def on_disk() -> list[bool]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            files = connection.execute(
                "SELECT pg_read_binary_file(pg_relation_filepath(relname::regclass)) FROM pg_class"
                " WHERE relname = %s",
                (f"{table(gallery_id)}_nearest",),
            ).fetchall()
        assert len(files) == 1
        return [any(row.tobytes() in file for (file,) in files) for row in rows]

    assert all(on_disk())
    async with Database(database_url) as brief:  # Postgres counts what a connection did when that ends
        await GalleryStore(brief).erase_faces(gallery_id, [faces[each].face_id for each in erased])
    vacuuming = asyncio.create_task(Vacuums(database, rested=0.1).run())

    async def is_wiped() -> bool:
        return await asyncio.to_thread(on_disk) == [False, False, False, True]

    try:
        await until(is_wiped)
    finally:
        vacuuming.cancel()
