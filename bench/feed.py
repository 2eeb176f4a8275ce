"""How long until a replica sees what another process has committed, without being asked.

    python -m bench.feed [CHANGES]

Three replicas follow, each a process of its own; one writer adds and erases faces of a gallery that they hold
and notes when each commit returned, by the same clock. No faults, no searches. The limit is a process that
listens and does nothing else.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import numpy as np
import psycopg

from bench.results import percentile, write
from classifier.galleries import Galleries
from classifier.shelf import View
from mien.launcher.mesh import free_port
from mien.launcher.postgres import Postgres
from store.additions import Additions, NewFace
from store.database import Database
from store.follower import Follower
from store.gallery import GalleryStore
from store.migrations import migrate
from store.revisions import CHANNEL
from store.services import create_service

REPLICAS = 3
CHANGES = 500
DIMENSION = 128
ENROLLED = 1000  # faces, before it begins
PAUSE = 0.02  # seconds between two changes, on average
TARGET = 20.0  # milliseconds


class Watched(Galleries):
    """Prints when it is at which revision."""

    async def _applied(self, gallery_id: UUID, view: View) -> bool:
        applied = await super()._applied(gallery_id, view)
        if (now := self._shelf.get(gallery_id)) and now.revision > view.revision:
            print(json.dumps([now.revision, time.monotonic()]), flush=True)
        return applied


async def follow(url: str, gallery_id: UUID) -> None:
    """What a replica does, until it is killed."""
    async with Database(url) as database:
        galleries = Watched(database, 1 << 30)
        view = await galleries.fresh(gallery_id)
        print(json.dumps([view.revision, time.monotonic()]), flush=True)
        await Follower(database, galleries.catch_up).run()


async def listen(url: str, _: UUID) -> None:
    """Prints when each notification comes; there is one for each change."""
    async with Database(url) as database, await database.listening() as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        print(json.dumps([0, time.monotonic()]), flush=True)
        count = ENROLLED
        async for _ in connection.notifies():
            count += 1
            print(json.dumps([count, time.monotonic()]), flush=True)


async def change(url: str, gallery_id: UUID, count: int) -> dict[int, float]:
    """When each revision was committed."""
    committed, mine, lot = {}, [], random.Random(1)
    async with Database(url) as database:
        store, additions = GalleryStore(database), Additions(database)
        for _ in range(count):
            if mine and lot.random() < 0.2:
                revision = (await store.erase_face(gallery_id, mine.pop())).revision
            else:
                face, revision = await additions.add(gallery_id, _face("Ann"))
                mine.append(face.face_id)
            committed[revision] = time.monotonic()
            await asyncio.sleep(lot.expovariate(1 / PAUSE))
    return committed


async def main(count: int) -> None:
    async with postgres() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            gallery_id = create_service(connection, "bench", "recognition")[0].gallery_id
            assert gallery_id
        await _filled(url, gallery_id)
        command = [sys.executable, "-m", "bench.feed"]
        replicas = [
            subprocess.Popen([*command, role, url, str(gallery_id)], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
            for role in ("listen", *["follow"] * REPLICAS)
        ]
        try:
            for each in replicas:
                assert each.stdout
                await asyncio.to_thread(each.stdout.readline)  # it has loaded the gallery
            await asyncio.sleep(1)
            committed = await change(url, gallery_id, count)
            await asyncio.sleep(1)
        finally:
            for each in replicas:
                each.kill()
        limit, *seen = [[json.loads(line) for line in each.stdout or ()] for each in replicas]
    measured = {}
    for name, each in (("limit: a notification alone", [limit]), (f"{REPLICAS} replicas", seen)):
        lags = sorted(1000 * lag for one in each for lag in _lags(committed, one))
        measured[name] = {f"p{share}": round(percentile(lags, share / 100), 2) for share in (50, 90, 99)}
        print(f"{name}: milliseconds from commit to seen {measured[name]}, worst {lags[-1]:.1f}")
    within = measured[f"{REPLICAS} replicas"]["p99"] <= TARGET
    print(f"p99 is {'within' if within else 'NOT within'} {TARGET:.0f} ms")
    print(write("feed", changes=count, load=os.getloadavg(), milliseconds=measured))


def _lags(committed: dict[int, float], seen: list[tuple[int, float]]) -> Iterator[float]:
    """For each revision how long after its commit a replica was there: 0 if before the commit returned."""
    for revision, at in committed.items():
        yield max(0.0, min(when for reached, when in seen if reached >= revision) - at)


def _face(subject: str) -> NewFace:
    vector = np.random.default_rng().standard_normal(DIMENSION)
    embedding = (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
    return NewFace(subject, embedding, "bench", None)


async def _filled(url: str, gallery_id: UUID) -> None:
    async with Database(url) as database:
        additions = Additions(database)
        for _ in range(ENROLLED):
            await additions.add(gallery_id, _face(f"subject {uuid4()}"))


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The URL of one as `mien up` runs it, fsync included."""
    with TemporaryDirectory(prefix="mien-bench-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "postgres", free_port())
        server.create()
        process = server.process(lambda name, line: None)
        process.start()
        try:
            async with asyncio.timeout(30):
                while True:
                    with suppress(psycopg.OperationalError):
                        await asyncio.to_thread(migrate, server.url)
                        break
                    await asyncio.sleep(0.1)
            yield server.url
        finally:
            await process.stop(5)


if __name__ == "__main__":
    if sys.argv[1:2] in (["follow"], ["listen"]):
        role = follow if sys.argv[1] == "follow" else listen
        asyncio.run(role(sys.argv[2], UUID(sys.argv[3])))
    else:
        asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else CHANGES))
