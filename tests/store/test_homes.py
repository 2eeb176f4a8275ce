"""The vectors of a gallery that Postgres searches are those of its faces, whatever is written when."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import UUID

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from serving.faults import PgvectorMissing
from store import homes, services, vectors
from store.additions import Additions, NewFace
from store.database import Connection, Database
from store.gallery import GalleryStore
from store.pgvector import require_pgvector
from store.revisions import newest_in
from tests.galleries import MODEL, embedding, enrol, new_gallery
from tests.postgres import Server, new_database


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    """One that commits by itself, in a database with pgvector."""
    connection = await database.listening()
    await require_pgvector(connection)
    yield connection
    await connection.close()


async def moved(connection: Connection, gallery_id: UUID) -> None:
    await homes.want(connection, gallery_id, "database")
    await homes.enter(connection, gallery_id)
    await vectors.fill(connection, gallery_id)
    await homes.filled(connection, gallery_id)
    await homes.cut_over(connection, gallery_id)


def faces_and_vectors(url: str, gallery_id: UUID) -> tuple[dict, dict]:
    with psycopg.connect(url) as connection:
        faces = connection.execute("SELECT id, embedding FROM faces WHERE gallery_id = %s", (gallery_id,))
        kept = connection.execute(f"SELECT face_id, halfvec_send(embedding) FROM {vectors.table(gallery_id)}")
        return {id_: vectors.packed(face) for id_, face in faces}, dict(kept.fetchall())


async def write(store: GalleryStore, gallery_id: UUID, seed: int, count: int) -> None:
    """Random writes of every kind."""
    lot, faces = random.Random(seed), []
    names = ["Ann", "Ben", "Cem"]
    for number in range(count):
        match lot.choice(["add", "add", "add", "many", "face", "faces", "subject", "rename"]):
            case "add":
                faces.append((await enrol(store, gallery_id, lot.choice(names), 1000 * seed + number)).face)
            case "many":
                new = [NewFace(lot.choice(names), embedding(n), MODEL, None) for n in range(5)]
                added = await Additions(store._database).add_all(gallery_id, new)
                faces += [each.face for each in added]
            case "face" if faces:
                await store.erase_faces(gallery_id, [faces.pop().face_id])
            case "faces" if faces:
                await store.erase_faces(gallery_id, [face.face_id for face in faces[-3:]])
            case "subject" if names[0] in await store.list_subjects(gallery_id):
                await store.erase_subject(gallery_id, names[0])
            case "rename" if names[1] in await store.list_subjects(gallery_id):
                await store.rename_subject(gallery_id, *names[1:3])


async def test_each_write_keeps_them_in_step(
    store: GalleryStore, connection: Connection, gallery_id: UUID, database_url: str
) -> None:
    for seed in range(5):
        await enrol(store, gallery_id, "Zoe", seed)
    await moved(connection, gallery_id)
    await write(store, gallery_id, 1, 60)
    faces, kept = faces_and_vectors(database_url, gallery_id)
    assert faces == kept
    assert len(faces) > 10


async def test_they_are_filled_in_while_others_write(
    store: GalleryStore,
    connection: Connection,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vectors, "_PAGE", 7)
    for seed in range(60):
        await enrol(store, gallery_id, "Zoe", seed)
    await homes.want(connection, gallery_id, "database")
    await homes.enter(connection, gallery_id)
    page = await store.list_faces(gallery_id, "Zoe", limit=60)

    async def erase() -> None:
        for face in page.faces[::2]:
            await store.erase_face(gallery_id, face.face_id)

    await asyncio.gather(vectors.fill(connection, gallery_id), write(store, gallery_id, 2, 30), erase())
    faces, kept = faces_and_vectors(database_url, gallery_id)
    assert faces == kept


async def test_filling_goes_on_where_it_was_cut_off(
    store: GalleryStore,
    connection: Connection,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vectors, "_PAGE", 5)
    for seed in range(30):
        await enrol(store, gallery_id, "Zoe", seed)
    await homes.want(connection, gallery_id, "database")
    await homes.enter(connection, gallery_id)
    written = vectors.write

    async def cut_off(*given: object) -> None:
        if len(faces_and_vectors(database_url, gallery_id)[1]) >= 15:
            raise asyncio.CancelledError
        await written(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(vectors, "write", cut_off)
        with pytest.raises(asyncio.CancelledError):
            await vectors.fill(connection, gallery_id)
    assert await vectors.fill(connection, gallery_id) == 15
    faces, kept = faces_and_vectors(database_url, gallery_id)
    assert faces == kept


async def test_what_was_emptied_is_in_memory_again_and_its_table_goes(
    store: GalleryStore, connection: Connection, gallery_id: UUID
) -> None:
    await enrol(store, gallery_id, "Ann")
    await moved(connection, gallery_id)
    await store.clear(gallery_id)
    placed = await homes.placed(connection, gallery_id)
    assert (placed.home, placed.wanted_home) == ("memory", "memory")
    assert await homes.orphans(connection) == {gallery_id}
    await homes.sweep(connection, gallery_id)
    assert await homes.orphans(connection) == set()
    await enrol(store, gallery_id, "Ann")  # and it is begun anew
    await moved(connection, gallery_id)
    assert (await homes.placed(connection, gallery_id)).home == "database"


async def test_with_a_gallery_its_table_goes_and_no_other(
    store: GalleryStore, connection: Connection, gallery_id: UUID, database_url: str
) -> None:
    other = new_gallery(database_url)
    for each in (gallery_id, other):
        await enrol(store, each, "Ann")
        await moved(connection, each)
    await connection.execute(
        "DELETE FROM services WHERE id = (SELECT service_id FROM galleries WHERE id = %s)", (gallery_id,)
    )
    assert await homes.orphans(connection) == {gallery_id}
    for each in (gallery_id, other):
        await homes.sweep(connection, each)
    left = await connection.execute("SELECT relname FROM pg_class WHERE relname ~ '^vectors_.{32}$'")
    assert await left.fetchall() == [(vectors.table(other),)]


async def test_an_index_that_was_cut_off_is_built_anew(
    store: GalleryStore, connection: Connection, gallery_id: UUID
) -> None:
    for seed in range(20):
        await enrol(store, gallery_id, "Ann", seed)
    await moved(connection, gallery_id)
    name = f"{vectors.table(gallery_id)}_nearest"
    await connection.execute(f"CREATE INDEX {name} ON {vectors.table(gallery_id)} (face_id)")
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", (name,)
    )
    await vectors.build_index(connection, await newest_in(connection, gallery_id), 20)
    found = await connection.execute(
        "SELECT indisvalid, amname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " JOIN pg_am ON pg_am.oid = relam WHERE relname = %s",
        (name,),
    )
    assert await found.fetchall() == [(True, "hnsw")]
    assert (await homes.placed(connection, gallery_id)).indexed


def test_a_move_is_wanted_of_a_service_that_is_there(database_url: str, gallery_id: UUID) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        (service,) = services.list_services(connection)
        homes.want_of(connection, service.name, "database")
        wanted = connection.execute("SELECT wanted_home FROM galleries").fetchall()
        assert wanted == [("database",)]
        with pytest.raises(services.ServiceError, match="no recognition service named 'nobody'"):
            homes.want_of(connection, "nobody", "memory")


def test_half_precision_is_as_pgvector_reads_it() -> None:
    assert vectors.packed(np.array([1.0, -0.5], "<f4").tobytes()) == b"\0\2\0\0\x3c\0\xb8\0"


@pytest.mark.parametrize(
    ("versions", "said"),
    [("'9', NULL::text WHERE false", "has no pgvector"), ("'0.8.1', '0.7.4'", "0.7.4 is too old")],
)
async def test_a_postgres_that_cannot_says_what_to_do(bare_url: str, versions: str, said: str) -> None:
    with psycopg.connect(bare_url, autocommit=True) as made:
        made.execute("CREATE SCHEMA lacking")
        made.execute(
            "CREATE VIEW lacking.pg_available_extensions (name, default_version, installed_version)"
            f" AS SELECT 'vector', {versions}"
        )
    options = "-c search_path=lacking,pg_catalog"
    async with await Database(make_conninfo(bare_url, options=options)).listening() as connection:
        with pytest.raises(PgvectorMissing, match=said):
            await require_pgvector(connection)


async def test_who_may_not_make_the_extension_is_told_who_may(postgres: Server) -> None:
    with new_database(postgres, "template1") as url:
        with psycopg.connect(url, autocommit=True) as made:
            made.execute("DROP ROLE IF EXISTS plain")
            made.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        async with await Database(make_conninfo(url, user="plain", password="plain")).listening() as plain:
            with pytest.raises(PgvectorMissing, match="let a superuser run CREATE EXTENSION vector"):
                await require_pgvector(plain)
    with psycopg.connect(postgres.url, autocommit=True) as made:
        made.execute("DROP ROLE plain")
