"""Batches of faces, at a real Postgres whose gallery the test holds still."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from classifier.batches import AT_ONCE, FEW, MOST, Batches
from serving.faults import StoreUnavailable
from store.additions import Added, Additions, NewFace
from store.database import Database
from store.gallery import GalleryStore
from store.revisions import hold_gallery
from tests.galleries import IMAGE, MODEL, embedding, new_gallery
from tests.postgres import Server

SOME = embedding(0)


def face(subject: str = "Ann", image: bytes = IMAGE) -> NewFace:
    return NewFace(subject, SOME, MODEL, image)


@pytest.fixture
def batches(additions: Additions) -> Batches:
    return Batches(additions)


@asynccontextmanager
async def held(database: Database, gallery_id: UUID) -> AsyncIterator[None]:
    """Nobody else writes into the gallery meanwhile."""
    async with database.transaction() as connection:
        await hold_gallery(connection, gallery_id)
        yield


async def under_way(add: "asyncio.Task[Added]") -> None:
    """Its batch has begun, when nothing else keeps the loop busy."""
    await asyncio.sleep(0.1)
    assert not add.done()


def start(batches: Batches, gallery_id: UUID, line: object, face: NewFace) -> "asyncio.Task[Added]":
    return asyncio.create_task(batches.add(gallery_id, face, line))


async def test_what_comes_while_a_batch_is_written_is_the_next_one(
    batches: Batches, gallery_id: UUID, database: Database
) -> None:
    async with held(database, gallery_id):
        first = start(batches, gallery_id, "line", face())
        await under_way(first)
        others = [start(batches, gallery_id, "line", face()) for _ in range(MOST + 100)]
        await under_way(others[0])
    told = [await each for each in (first, *others)]
    assert [each.revision for each in told] == list(range(1, MOST + 102))
    assert list(Counter(each.face.created_at for each in told).values()) == [1, MOST, 100]


async def test_batches_that_take_long_become_small(
    batches: Batches, gallery_id: UUID, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.batches.LONG", 0.0)
    async with held(database, gallery_id):
        first = start(batches, gallery_id, "line", face())
        await under_way(first)
        others = [start(batches, gallery_id, "line", face()) for _ in range(MOST + 2 * FEW)]
        await under_way(others[0])
    told = [await each for each in (first, *others)]
    assert list(Counter(each.face.created_at for each in told).values()) == [1, MOST, FEW, FEW]


async def test_who_gives_up_before_the_turn_takes_the_face_along(
    batches: Batches, store: GalleryStore, gallery_id: UUID, database: Database
) -> None:
    async with held(database, gallery_id):
        first = start(batches, gallery_id, "line", face("under way"))
        await under_way(first)
        given_up = start(batches, gallery_id, "line", face("given up"))
        kept = start(batches, gallery_id, "line", face("kept"))
        await under_way(given_up)
        given_up.cancel()
        first.cancel()  # too late: it may be there or not
    assert (await kept).revision == 2
    assert await store.list_subjects(gallery_id) == ["kept", "under way"]


async def test_lines_take_turns(batches: Batches, gallery_id: UUID, database: Database) -> None:
    async with held(database, gallery_id):
        first = start(batches, gallery_id, "long", face())
        await under_way(first)
        long = [start(batches, gallery_id, "long", face()) for _ in range(2 * MOST)]
        short = start(batches, gallery_id, "short", face())
        await under_way(short)
    assert (await short).revision == 3
    assert [(await each).revision for each in long][:3] == [2, 4, 5]


async def test_a_gallery_that_is_held_keeps_no_other_waiting(
    batches: Batches, gallery_id: UUID, database: Database, database_url: str
) -> None:
    async with held(database, gallery_id):
        waiting = [start(batches, gallery_id, line, face()) for line in range(AT_ONCE + 1)]
        await under_way(waiting[0])
        assert (await batches.add(new_gallery(database_url), face(), "line")).revision == 1
    for each in waiting:
        await each


async def test_large_images_make_small_batches(
    batches: Batches, gallery_id: UUID, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.batches.MOST_BYTES", 100)
    async with held(database, gallery_id):
        adds = [start(batches, gallery_id, "line", face(image=bytes(40))) for _ in range(7)]
        await under_way(adds[0])
    moments = Counter([(await each).face.created_at for each in adds])
    assert max(moments.values()) == 3


async def test_all_of_a_batch_are_told_that_postgres_is_away_and_the_next_are_served(
    batches: Batches, gallery_id: UUID, postgres: Server, database_url: str
) -> None:
    postgres.refuse(database_url)
    told = await asyncio.gather(
        *(batches.add(gallery_id, face(), "line") for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in told] == [StoreUnavailable] * 3
    postgres.admit(database_url)
    async with asyncio.timeout(10):
        while True:
            try:
                assert (await batches.add(gallery_id, face(), "line")).revision == 1
                break
            except StoreUnavailable:
                await asyncio.sleep(0.05)
    await asyncio.sleep(0)
    assert not batches._queues  # what has been written leaves nothing behind
