"""Galleries come and go within a budget of memory, and load without keeping others."""

import asyncio
import logging
import threading
from pathlib import Path
from uuid import UUID

import pytest

from classifier import loads, memory
from classifier.galleries import Galleries
from classifier.matrix import Matrix
from classifier.shelf import OF_A_FACE
from serving.faults import GalleryBehind, GalleryTooLarge
from store.database import Database
from store.gallery import GalleryStore
from store.loading import Faces
from tests.galleries import DIMENSION, enrol, new_gallery

FACE = 4 * DIMENSION + OF_A_FACE  # bytes


async def filled(store: GalleryStore, url: str, faces: int) -> UUID:
    gallery_id = new_gallery(url)
    for seed in range(faces):
        await enrol(store, gallery_id, "Ann", seed)
    return gallery_id


async def test_the_one_that_was_not_read_for_the_longest_leaves_first(
    database: Database, store: GalleryStore, database_url: str
) -> None:
    one, two, three = [await filled(store, database_url, 2) for _ in range(3)]
    size = (await Galleries(database, 1 << 30).fresh(one)).matrix.nbytes
    galleries = Galleries(database, 2 * size + size // 2)
    for each in (one, two, one):
        await galleries.fresh(each)
    assert set(galleries.held()) == {one, two}
    await galleries.fresh(three)
    assert set(galleries.held()) == {one, three}
    assert len((await galleries.fresh(two)).matrix) == 2  # it is loaded anew
    assert set(galleries.held()) == {three, two}
    assert sum(view.matrix.nbytes for view in galleries.held().values()) <= 2 * size + size // 2


async def test_a_gallery_that_is_too_large_alone_says_so_and_harms_no_other(
    database: Database, store: GalleryStore, database_url: str
) -> None:
    small, large = await filled(store, database_url, 2), await filled(store, database_url, 5)
    galleries = Galleries(database, 4 * FACE)
    await galleries.fresh(small)
    with pytest.raises(GalleryTooLarge) as refused:
        await galleries.fresh(large)
    assert refused.value.facts == {"bytes": str(5 * FACE), "max_bytes": str(4 * FACE)}
    assert set(galleries.held()) == {small}


async def test_a_gallery_that_grows_too_large_leaves(
    database: Database, store: GalleryStore, database_url: str
) -> None:
    growing = await filled(store, database_url, 4)
    galleries = Galleries(database, 4 * FACE)
    await galleries.fresh(growing)
    face, _ = await enrol(store, growing, "Ben", 9)
    with pytest.raises(GalleryTooLarge):
        await galleries.fresh(growing)
    assert not galleries.held()
    await store.erase_face(growing, face.face_id)
    assert len((await galleries.fresh(growing)).matrix) == 4


class Slow(Matrix):
    """Takes its faces only once it is let."""

    def __init__(self, let: threading.Event) -> None:
        super().__init__()
        self._let = let

    def add(self, faces: Faces) -> None:
        assert self._let.wait(10)
        super().add(faces)


async def test_a_gallery_that_loads_keeps_no_other(
    database: Database, store: GalleryStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, slow, other = [await filled(store, database_url, 1) for _ in range(3)]
    galleries = Galleries(database, 1 << 30)
    await galleries.fresh(held)
    let = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr("classifier.galleries.Matrix", lambda: Slow(let))
        loading = asyncio.create_task(galleries.fresh(slow))
        await asyncio.sleep(0.1)
    async with asyncio.timeout(1):
        _, revision = await enrol(store, held, "Ben", 2)
        assert (await galleries.fresh(held)).revision == revision
        await galleries.fresh(other)
        # Nor those that follow the log.
        await enrol(store, held, "Cem", 3)
        await galleries.catch_up(slow)
        await galleries.catch_up(held)
        while len(galleries.held()[held].matrix) < 3:
            await asyncio.sleep(0.005)
    assert not loading.done()
    let.set()
    assert len((await loading).matrix) == 1


async def test_galleries_that_load_together_stay_within_the_budget(
    database: Database, store: GalleryStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.galleries.PATIENCE", 0.5)
    one, two = [await filled(store, database_url, 3) for _ in range(2)]
    galleries = Galleries(database, 4 * FACE)
    let = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr("classifier.galleries.Matrix", lambda: Slow(let))
        first = asyncio.create_task(galleries.fresh(one))
        await asyncio.sleep(0.1)
    with pytest.raises(GalleryBehind):  # there is room only once the first is there, and leaves
        await galleries.fresh(two)
    let.set()
    with pytest.raises(GalleryBehind):
        await first
    monkeypatch.setattr("classifier.galleries.PATIENCE", 5.0)
    assert len((await galleries.fresh(two)).matrix) == 3
    assert len((await galleries.fresh(one)).matrix) == 3
    assert set(galleries.held()) == {one}


async def test_the_log_tells_how_a_long_load_gets_on(
    database: Database,
    store: GalleryStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    gallery_id = await filled(store, database_url, 3)
    await Galleries(database, 1 << 30).fresh(gallery_id)
    assert "loading" not in caplog.text
    monkeypatch.setattr(loads, "LONG", 0.0)
    await Galleries(database, 1 << 30).fresh(gallery_id)
    assert f"loading gallery {gallery_id}: 3 of 3 faces" in caplog.text
    assert f"gallery {gallery_id} is loaded: 3 faces in" in caplog.text


def test_the_budget_is_a_share_of_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_LIMITS", (str(limit),))
    limit.write_text("max\n")
    whole = memory.budget(1)
    assert 1 << 28 < whole < 1 << 45
    assert memory.budget() == whole // 2
    limit.write_text("1000000\n")
    assert memory.budget(1) == 500_000
    assert memory.budget(5) == 100_000
