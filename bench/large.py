"""A gallery that Postgres searches beside one in memory: python -m bench.large [FACES] [DIMENSION]

The gallery is moved as classifiers do it, and searched through their own code: in memory, by faiss's exact
index, in Postgres with every vector read, and by its index at several settings, in turns. Half of the probes
are other photographs of the gallery's people, half are strangers, whose nearest are hardest to find. Recall
is the share of the right subjects that is answered.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import faiss
import numpy as np
import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from bench.feed import postgres
from bench.million import fill
from bench.results import percentile, write
from bench.synthetic import people, probes
from classifier.blocks import Floats
from classifier.matrix import Hit, Matrix
from classifier.stored import Stored, StoredSearches
from store import homes, vectors
from store.additions import Additions, NewFace
from store.database import Connection, Database
from store.loading import Faces, load
from store.pgvector import require_pgvector
from store.revisions import Gallery, newest
from store.services import create_service

FACES = 100_000
DIMENSION = 128
PROBES = 200
MOST = 10  # subjects of a probe
EFS = (40, 100, 200, 400, 800)
ADDED = 100
MOST_AT_ONCE = 500  # faces in a batch of AddFaces
TWINS = 50  # people who have somebody in the gallery that looks like them
ALIKE = 0.5  # how far, beside 1: a cosine of 0.8 between a face of the one and one of the other
ELSEWHERE = 77  # seed of people who are not in the gallery

Call = Callable[[Floats], Awaitable[list[Hit]]]

MEMORY, EXACT = "mien in memory", "mien in Postgres, every vector"


async def moved(database: Database, gallery_id: UUID, count: int, dimension: int, console: Console) -> Stored:
    """The gallery in Postgres; prints how long each step took."""
    additions = Additions(database)
    connection = await database.listening()
    try:
        await require_pgvector(connection)
        await additions.add_all(gallery_id, _twins(dimension))
        before = await _adding(additions, gallery_id, dimension)
        await homes.want(connection, gallery_id, "database")
        await homes.enter(connection, gallery_id)
        began = time.perf_counter()
        await vectors.fill(connection, gallery_id)
        await homes.filled(connection, gallery_id)
        filled = time.perf_counter() - began
        bare, began = await homes.bytes_of(connection, gallery_id), time.perf_counter()
        await vectors.build_index(connection, await newest(database, gallery_id), count)
        built = time.perf_counter() - began
        await homes.cut_over(connection, gallery_id)
        size = await homes.bytes_of(connection, gallery_id)
        after = await _adding(additions, gallery_id, dimension)
        began, rows = time.perf_counter(), np.concatenate(list(people(MOST_AT_ONCE, dimension, seed=6)))
        await additions.add_all(
            gallery_id, [NewFace(f"Later {n}", row.tobytes(), "open", None) for n, row in enumerate(rows)]
        )
        together = time.perf_counter() - began
        console.print(
            f"filled in {filled:.1f} s, indexed in {built:.1f} s; {bare / count:.0f} bytes a face,"
            f" {size / count:.0f} with the index; a face is added in {before:.2f} ms, then in {after:.2f},"
            f" {MOST_AT_ONCE} together in {together:.2f} s"
        )
    finally:
        await connection.close()
    return Stored(await newest(database, gallery_id), StoredSearches(database))


def _twins(dimension: int) -> list[NewFace]:
    near = probes(TWINS, dimension, noise=0.0).astype(np.float64)
    near += np.random.default_rng(3).standard_normal(near.shape) * ALIKE / dimension**0.5
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return [NewFace(f"Twin {n}", row.astype("<f4").tobytes(), "open", None) for n, row in enumerate(near)]


async def _adding(additions: Additions, gallery_id: UUID, dimension: int) -> float:
    """Milliseconds that one face takes, at the median."""
    took = []
    rows = np.concatenate(list(people(ADDED, dimension, seed=5)))
    for number, row in enumerate(rows):
        began = time.perf_counter()
        await additions.add(gallery_id, NewFace(f"Late {number}", row.tobytes(), "open", None))
        took.append(time.perf_counter() - began)
    return 1e3 * statistics.median(took)


def measured(
    name: str, took: list[float], found: list[list[str]], right: list[list[str]]
) -> dict[str, str | float | None]:
    half = PROBES // 2

    def recall(most: int, some: slice) -> float | None:
        if not any(found):
            return None  # it answers vectors, not subjects
        return statistics.mean(
            len(set(one[:most]) & set(other[:most])) / len(other[:most])
            for one, other in zip(found[some], right[some], strict=True)
        )

    return {
        "what": name,
        "p50": 1e3 * statistics.median(took),
        "p99": 1e3 * percentile(sorted(took), 0.99),
        "known": recall(1, slice(half)),
        "twin": recall(2, slice(TWINS)),
        "stranger": recall(1, slice(half, None)),
        "ten": recall(MOST, slice(None)),
    }


async def loaded(database: Database, gallery_id: UUID) -> Matrix:
    matrix = Matrix()

    async def take(faces: Faces) -> None:
        matrix.add(faces)

    await load(database, gallery_id, take)
    return matrix


def bare(connection: Connection, gallery: Gallery, exact: bool) -> Call:
    """What pgvector takes alone, for the ten nearest vectors."""
    order = f"(embedding <#> %s::halfvec({gallery.dimension})){' + 0' if exact else ''}"

    async def search(probe: Floats) -> list[Hit]:
        await connection.execute(
            f"SELECT face_id FROM {vectors.table(gallery.id)} ORDER BY {order} LIMIT {MOST}",
            (str(probe.tolist()),),
        )
        return []

    return search


async def compare(
    stored: Stored, database: Database, connection: Connection, dimension: int
) -> list[dict[str, str | float | None]]:
    matrix = await loaded(database, stored.gallery.id)
    index = faiss.IndexFlatIP(dimension)
    with matrix.at_once():
        for _, _, rows in matrix.slices():
            index.add(rows)
    faiss.omp_set_num_threads(1)

    async def in_memory(probe: Floats) -> list[Hit]:
        return matrix.search(probe[None], MOST, distinct=True)[0]

    async def flat(probe: Floats) -> list[Hit]:
        index.search(probe[None], MOST)
        return []

    def in_postgres(ef: int, exact: bool) -> Call:
        async def search(probe: Floats) -> list[Hit]:
            return (await stored.search([probe], MOST, distinct=True, exact=exact, ef=ef))[0]

        return search

    calls: dict[str, Call] = {
        MEMORY: in_memory,
        "faiss IndexFlatIP": flat,
        "pgvector alone, every vector": bare(connection, stored.gallery, exact=True),
        EXACT: in_postgres(EFS[0], exact=True),
        f"pgvector alone, ef {EFS[0]}, its default": bare(connection, stored.gallery, exact=False),
        **{f"mien in Postgres, ef {ef}": in_postgres(ef, exact=False) for ef in EFS},
    }
    asked = np.concatenate([probes(PROBES // 2, dimension), probes(PROBES // 2, dimension, ELSEWHERE)])
    took: dict[str, list[float]] = {name: [] for name in calls}
    found: dict[str, list[list[str]]] = {name: [] for name in calls}
    for call in calls.values():  # what was read once is in the memory of Postgres
        await call(asked[0])
    for probe in asked:
        for name, call in calls.items():
            began = time.perf_counter()
            hits = await call(probe)
            took[name].append(time.perf_counter() - began)
            found[name].append([hit.subject for hit in hits])
    assert found[EXACT] == found[MEMORY], "they are not the same"
    return [measured(name, took[name], found[name], found[MEMORY]) for name in calls]


async def main(count: int, dimension: int) -> None:
    console = Console(width=130)
    async with postgres() as url, Database(url) as database:
        with psycopg.connect(url, autocommit=True) as connection:
            gallery_id = create_service(connection, "bench", "recognition")[0].gallery_id
        assert gallery_id
        await asyncio.to_thread(fill, url, gallery_id, "open", dimension, count)
        stored = await moved(database, gallery_id, count, dimension, console)
        async with await database.listening() as connection:
            rows = await compare(stored, database, connection, dimension)
    heads = ("what", "p50 ms", "p99 ms", "best of known", "and their twins", "best of strangers", "best 10")
    table = Table(*heads, title=f"{count} x {dimension}")
    for row in rows:
        told = [row[each] for each in ("p50", "p99", "known", "twin", "stranger", "ten")]
        table.add_row(str(row["what"]), *("" if each is None else f"{each:.3f}" for each in told))
    console.print(table)
    console.print(f"wrote {write('large', faces=count, dimension=dimension, rows=rows)}")


if __name__ == "__main__":
    told = [int(each) for each in sys.argv[1:]]
    uvloop.run(main(*[*told, *[FACES, DIMENSION][len(told) :]]))
