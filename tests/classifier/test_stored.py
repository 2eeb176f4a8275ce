"""What Postgres finds is what memory finds."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import numpy as np
import psycopg
import pytest

from classifier import stored as stored_module
from classifier.evidence import SAMPLE
from classifier.faces import Model
from classifier.galleries import Galleries
from classifier.hashes import Hashes
from classifier.levels import Basis, Levels
from classifier.matrix import Matrix
from classifier.stored import Stored, StoredSearches
from serving.faults import GalleryBehind, Overloaded, StoreUnavailable
from store import nearest, vectors
from store.additions import Additions, NewFace
from store.database import Connection, Database
from store.gallery import GalleryStore
from store.hashing import as_text
from store.pgvector import require_pgvector
from store.revisions import newest
from tests.classifier.people import DIMENSION, rows
from tests.galleries import MODEL
from tests.store.test_homes import moved

PLENTY = 1 << 30  # bytes
OPEN = Model(MODEL, DIMENSION, 150, 0.36, 20)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    connection = await database.listening()
    await require_pgvector(connection)
    yield connection
    await connection.close()


async def enrolled(database: Database, gallery_id: UUID, embeddings: np.ndarray, names: list[str]) -> None:
    faces = [
        NewFace(name, row.astype("<f4").tobytes(), MODEL, None)
        for name, row in zip(names, embeddings, strict=True)
    ]
    await Additions(database).add_all(gallery_id, faces)


async def both(database: Database, connection: Connection, gallery_id: UUID) -> tuple[Matrix, Stored]:
    """The gallery as memory has it and as Postgres searches it."""
    matrix = (await Galleries(database, PLENTY).fresh(gallery_id)).matrix
    await moved(connection, gallery_id)
    return matrix, Stored(await newest(database, gallery_id), StoredSearches(database))


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_exact_is_the_same(
    database: Database, connection: Connection, gallery_id: UUID, seed: int
) -> None:
    lot = np.random.default_rng(seed)
    people = rows(40, seed, spread=(0.02, 0.1, 0.5, 3.0)[seed])
    owners = lot.integers(0, 40, 400) ** 2 // 40  # some have many faces
    embeddings = rows(400, seed + 10, near=people[owners], spread=0.05)
    embeddings[lot.integers(0, 400, 60)] = embeddings[lot.integers(0, 400, 60)]  # and some are equal
    await enrolled(database, gallery_id, embeddings, [f"Person {each}" for each in owners])
    matrix, stored = await both(database, connection, gallery_id)
    probes = np.concatenate([embeddings[:3], rows(3, seed + 20)])
    for count, distinct in [(1, True), (7, True), (40, True), (1000, True), (1, False), (50, False)]:
        found = await stored.search(list(probes), count, distinct=distinct, exact=True)
        assert found == matrix.search(probes, count, distinct=distinct), (count, distinct)


async def test_half_precision_hides_nobody(
    database: Database, connection: Connection, gallery_id: UUID
) -> None:
    # More faces than are fetched at first, nearer to each other than half precision can tell.
    near = rows(1, 1)
    embeddings = rows(300, 2, near=np.repeat(near, 300, 0), spread=1e-4)
    await enrolled(database, gallery_id, embeddings, [f"Person {each}" for each in range(300)])
    matrix, stored = await both(database, connection, gallery_id)
    probes = rows(20, 3, near=np.repeat(near, 20, 0), spread=0.3)
    found = await stored.search(list(probes), 1, distinct=True, exact=True)
    assert found == matrix.search(probes, 1, distinct=True)


async def test_an_index_answers_alike_and_its_hits_are_scored_alike(
    database: Database, connection: Connection, gallery_id: UUID
) -> None:
    embeddings = rows(500, 1, spread=2.0)
    embeddings[:200] = rows(200, 2, near=np.repeat(embeddings[:1], 200, 0), spread=0.02)
    # One subject has all of the best places.
    await enrolled(
        database, gallery_id, embeddings, ["Ann"] * 200 + [f"Person {each}" for each in range(300)]
    )
    matrix, stored = await both(database, connection, gallery_id)
    await vectors.build_index(connection, stored.gallery, 500)
    stored = stored._replace(gallery=await newest(database, gallery_id))
    assert stored.gallery.indexed
    (found,) = await stored.search([embeddings[0]], 5, distinct=True)
    assert found == matrix.search(embeddings[:1], 5, distinct=True)[0]
    probes = rows(50, 3, spread=2.0)
    right = matrix.search(probes, 1, distinct=True)
    best = await stored.search(list(probes), 1, distinct=True)
    assert np.mean([one == other for one, other in zip(best, right, strict=True)]) > 0.9
    # There are no more subjects: then every vector is read.
    assert await stored.search(list(probes), 1000, distinct=True) == matrix.search(
        probes, 1000, distinct=True
    )


async def test_what_is_erased_is_not_found_though_the_index_has_it(
    database: Database, connection: Connection, store: GalleryStore, gallery_id: UUID
) -> None:
    embeddings = rows(200, 1)
    await enrolled(database, gallery_id, embeddings, ["Ann"] * 150 + ["Ben"] * 50)
    _, stored = await both(database, connection, gallery_id)
    await vectors.build_index(connection, stored.gallery, 200)
    await store.erase_subject(gallery_id, "Ann")
    stored = stored._replace(gallery=await newest(database, gallery_id))
    for exact in (True, False):
        (found,) = await stored.search([embeddings[0]], 10, distinct=False, exact=exact)
        assert {hit.subject for hit in found} == {"Ben"}
        assert len(found) == 10


async def test_strangers_meet_the_same_threshold(
    database: Database, connection: Connection, gallery_id: UUID
) -> None:
    owners = np.repeat(np.arange(250), 2)
    embeddings = rows(500, 1, near=rows(250, 2, spread=1.0)[owners], spread=0.2)
    await enrolled(database, gallery_id, embeddings, [f"Person {each}" for each in owners])
    galleries = Galleries(database, PLENTY)
    held = await galleries.fresh(gallery_id)
    level = await Levels().of(gallery_id, held, OPEN, 0.001)
    _, stored = await both(database, connection, gallery_id)
    assert await Levels().of(gallery_id, stored, OPEN, 0.001) == level
    assert level.basis is Basis.GALLERY
    # And so they do of a sample, if a part of a gallery is all that is looked at.
    sample = await stored.sample(100)
    assert (len(sample), await stored.sample(SAMPLE) is not None) == (100, True)


async def test_the_hash_is_the_same_and_tells_of_a_vector_that_is_wrong(
    database: Database, connection: Connection, gallery_id: UUID, database_url: str
) -> None:
    await enrolled(database, gallery_id, rows(20), [f"Person {each}" for each in range(20)])
    hashes = Hashes(Galleries(database, PLENTY))
    before = await hashes.newest(gallery_id)
    await moved(connection, gallery_id)
    after = await hashes.newest(gallery_id)
    assert (before.home, after.home) == ("memory", "database")
    assert as_text(before.total) == as_text(after.total)
    assert (before.revision, before.faces, before.model) == (after.revision, after.faces, after.model)
    with psycopg.connect(database_url) as spoiling:
        spoiling.execute(
            f"UPDATE {vectors.table(gallery_id)} AS one SET embedding = other.embedding"
            f" FROM {vectors.table(gallery_id)} AS other WHERE one.face_id < other.face_id"
            " AND one.face_id = (SELECT id FROM faces ORDER BY id LIMIT 1)"
        )
    assert (await hashes.newest(gallery_id)).faces == 19
    with psycopg.connect(database_url) as spoiling:
        spoiling.execute(f"DELETE FROM {vectors.table(gallery_id)}")
    assert (await hashes.newest(gallery_id)).faces == 0


async def test_what_cannot_wait_is_refused_at_once(
    database: Database, connection: Connection, gallery_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_module, "WAITING", 2)
    await enrolled(database, gallery_id, rows(20), ["Ann"] * 20)
    _, stored = await both(database, connection, gallery_id)
    searches = [asyncio.create_task(stored.search([rows(1)[0]], 1, distinct=True)) for _ in range(3)]
    answers = await asyncio.gather(*searches, return_exceptions=True)
    assert [type(each) for each in answers] == [list, list, Overloaded]


async def test_a_search_that_takes_too_long_ends(
    database: Database,
    connection: Connection,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await enrolled(database, gallery_id, rows(2), ["Ann"] * 2)
    _, stored = await both(database, connection, gallery_id)
    monkeypatch.setitem(nearest._SETTINGS, "statement_timeout", "100ms")
    with psycopg.connect(database_url) as keeping:
        keeping.execute(f"LOCK TABLE {vectors.table(gallery_id)}")
        with pytest.raises(StoreUnavailable, match="took longer"):
            await stored.search([rows(1)[0]], 1, distinct=True)
    async with database.transaction() as after:  # and who has the connection next is not bound by it
        shown = await after.execute("SELECT current_setting('statement_timeout')")
        assert await shown.fetchone() == ("0",)


async def test_a_table_that_has_just_gone_is_no_fault_of_the_server(
    database: Database, connection: Connection, gallery_id: UUID
) -> None:
    await enrolled(database, gallery_id, rows(2), ["Ann"] * 2)
    _, stored = await both(database, connection, gallery_id)
    await vectors.drop_table(connection, gallery_id)
    with pytest.raises(GalleryBehind, match="just moved"):
        await stored.search([rows(1)[0]], 1, distinct=True)
