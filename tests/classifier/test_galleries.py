"""Galleries in memory, kept in step with a real Postgres whose connections are cut."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from classifier.galleries import Galleries, after
from classifier.matrix import Matrix
from classifier.shelf import View
from serving.faults import ApiKeyUnknown, GalleryBehind, StoreUnavailable
from store.database import Database
from store.follower import Follower
from store.gallery import GalleryStore
from store.loading import Faces
from store.revisions import changes_since, newest, trim
from tests.classifier.test_matrix import held as faces_of
from tests.galleries import enrol
from tests.postgres import Server

PLENTY = 1 << 30  # bytes


@asynccontextmanager
async def replica(
    url: str, kind: type[Galleries] = Galleries, follower: type[Follower] = Follower
) -> AsyncIterator[Galleries]:
    """What a classifier holds and follows."""
    async with Database(url) as database:
        galleries = kind(database, PLENTY)
        following = asyncio.create_task(follower(database, galleries.catch_up).run())
        try:
            yield galleries
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


@pytest.fixture
async def galleries(database: Database) -> Galleries:
    """Without a follower."""
    return Galleries(database, PLENTY)


def truth(url: str, gallery_id: UUID) -> list[tuple[UUID, str, bytes]]:
    """The faces, as SQL tells them."""
    with psycopg.connect(url) as connection:
        return sorted(
            connection.execute(
                "SELECT faces.id, name, embedding FROM faces JOIN subjects ON subjects.id = subject_id"
                " WHERE faces.gallery_id = %s",
                (gallery_id,),
            ).fetchall()
        )


def held(view: View) -> list[tuple[UUID, str, bytes]]:
    return sorted(faces_of(view.matrix))


async def test_every_write_is_in_the_next_view(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    for turn in range(12):
        face, revision = await enrol(store, gallery_id, f"subject {turn % 3}", turn)
        view = await galleries.fresh(gallery_id)
        assert (view.revision, view.model) == (revision, "a model")
        assert held(view) == truth(database_url, gallery_id)
        if turn % 4 == 1:
            await store.erase_face(gallery_id, face.face_id)
        if turn % 4 == 3:
            await store.erase_subject(gallery_id, "subject 1")
        assert held(await galleries.fresh(gallery_id)) == truth(database_url, gallery_id)
    await store.clear(gallery_id)
    view = await galleries.fresh(gallery_id)
    assert (held(view), view.model) == ([], None)


async def test_many_changes_are_applied_as_one(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Ann", 0)
    await galleries.fresh(gallery_id)
    await store.clear(gallery_id)
    faces = [
        (await enrol(store, gallery_id, name, seed))[0] for seed, name in enumerate(["Ann", "Ben", "Cem"])
    ]
    await store.erase_face(gallery_id, faces[0].face_id)
    await store.erase_subject(gallery_id, "BEN")
    await enrol(store, gallery_id, "Ben", 9)
    assert held(await galleries.fresh(gallery_id)) == truth(database_url, gallery_id)


async def test_subjects_are_renamed_and_merged(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    async def agree() -> None:
        assert held(await galleries.fresh(gallery_id)) == truth(database_url, gallery_id)

    for seed, name in enumerate(["Ann", "Ben", "Cem", "Ann", "Dee"]):
        await enrol(store, gallery_id, name, seed)
    await galleries.fresh(gallery_id)
    await store.rename_subject(gallery_id, "ann", "Eve")
    await agree()
    await store.rename_subject(gallery_id, "Ben", "eve")
    await agree()
    # Several at once: to a subject without faces, on from there, and away.
    await store.create_subject(gallery_id, "Fay")
    await store.rename_subject(gallery_id, "Eve", "Fay")
    await store.rename_subject(gallery_id, "Fay", "Gil")
    await store.rename_subject(gallery_id, "Cem", "Dee")
    await enrol(store, gallery_id, "Dee", 9)
    await agree()
    await store.rename_subject(gallery_id, "Dee", "Gil")
    await store.erase_subject(gallery_id, "Gil")
    await agree()
    assert not truth(database_url, gallery_id)


async def test_changes_applied_twice_are_applied_once(
    database: Database, store: GalleryStore, gallery_id: UUID
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann", 1)
    await enrol(store, gallery_id, "Ben", 2)
    news = await changes_since(database, gallery_id, 0)
    once = after(View(Matrix(), 0, None), news)
    assert len(held(once)) == 2
    assert held(after(once, news)) == held(once)
    await store.erase_face(gallery_id, face.face_id)
    erasure = await changes_since(database, gallery_id, 2)
    erased = after(once, erasure)
    assert [name for _, name, _ in held(erased)] == ["Ben"]
    assert held(after(after(erased, news), erasure)) == held(erased)


async def test_many_readers_cause_one_loading(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrol(store, gallery_id, "Ann")
    await asyncio.gather(*(galleries.fresh(gallery_id) for _ in range(20)))
    with monkeypatch.context() as patch:  # now there is nothing to read but the revision
        patch.delattr("classifier.galleries.load")
        patch.delattr("classifier.galleries.changes_since")
        await asyncio.gather(*(galleries.fresh(gallery_id) for _ in range(20)))


async def test_a_reader_who_gives_up_does_not_stop_the_loading(
    galleries: Galleries, store: GalleryStore, gallery_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrol(store, gallery_id, "Ann")
    started = []

    class Slow(Matrix):
        def add(self, faces: Faces) -> None:
            started.append(faces)
            time.sleep(0.4)
            super().add(faces)

    monkeypatch.setattr("classifier.galleries.PATIENCE", 0.1)
    monkeypatch.setattr("classifier.galleries.Matrix", Slow)
    with pytest.raises(GalleryBehind) as behind:
        await galleries.fresh(gallery_id)
    assert behind.value.facts == {"revision": "1"}
    await asyncio.sleep(0.6)
    assert len((await galleries.fresh(gallery_id)).matrix) == 1
    assert len(started) == 1


async def test_whoever_the_log_does_not_reach_loads_anew(
    galleries: Galleries, database: Database, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Ann", 1)
    await galleries.fresh(gallery_id)
    for turn in range(4):
        await enrol(store, gallery_id, "Ben", turn)
    await store.erase_subject(gallery_id, "Ann")
    async with database.transaction() as connection:
        await trim(connection, await newest(database, gallery_id), kept=1)
    assert held(await galleries.fresh(gallery_id)) == truth(database_url, gallery_id)


async def test_a_database_put_back_to_an_older_state_is_followed(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann", 1)
    async with replica(database_url) as galleries:
        await enrol(store, gallery_id, "Ben", 2)
        assert len((await galleries.fresh(gallery_id)).matrix) == 2
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM faces WHERE id <> %s", (face.face_id,))
            connection.execute("DELETE FROM changes WHERE revision > 1")
            connection.execute("UPDATE galleries SET revision = 1")
        async with asyncio.timeout(3):
            while held(await galleries.fresh(gallery_id)) != truth(database_url, gallery_id):
                await asyncio.sleep(0.02)


async def test_a_deleted_service_is_forgotten(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Ann")
    async with replica(database_url) as galleries:
        await galleries.fresh(gallery_id)
        with psycopg.connect(database_url) as connection:
            connection.execute("DELETE FROM services")
        with pytest.raises(ApiKeyUnknown):
            await galleries.fresh(gallery_id)
        async with asyncio.timeout(3):
            while galleries.held():
                await asyncio.sleep(0.02)


async def test_without_postgres_nothing_stale_is_answered(
    store: GalleryStore, gallery_id: UUID, database_url: str, postgres: Server
) -> None:
    await enrol(store, gallery_id, "Ann")
    async with replica(database_url) as galleries:
        await galleries.fresh(gallery_id)
        postgres.refuse(database_url)
        with pytest.raises(StoreUnavailable):
            await galleries.fresh(gallery_id)
        postgres.admit(database_url)
        back = time.monotonic()
        assert len((await galleries.fresh(gallery_id)).matrix) == 1
        assert time.monotonic() - back < 3
