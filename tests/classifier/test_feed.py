"""The change feed under 64 writers and three replicas, one of them slow, while all goes wrong that can.

Each guard is taken away once, and the same check then finds replicas that differ from the database:

* revisions under the lock of the gallery's row: without it, who commits late is skipped by who has read on;
* loading anew where the log does not reach: without it, what was trimmed is missed;
* reading the log after each connection, and now and then: without it, what was notified to nobody is missed.
"""

import asyncio
import random
import time
from contextlib import AsyncExitStack, suppress
from uuid import UUID

import psycopg
import pytest

from classifier import galleries as module
from classifier.galleries import Galleries
from classifier.hashes import hash_of
from classifier.shelf import View
from serving.faults import Fault
from store import additions as writing
from store.database import Connection, Database
from store.follower import Follower
from store.gallery import GalleryStore
from store.hashing import as_text
from store.rebuilding import rebuilt
from store.revisions import (
    CHANNEL,
    Changes,
    Gallery,
    Kind,
    Logged,
    changes_since,
    log_changes,
    newest_in,
    trim,
)
from tests.classifier.test_galleries import replica
from tests.galleries import DIMENSION, MODEL, enrol

WRITERS = 64
SETTLED = 4.0  # seconds until replicas must be as the database, without being asked
EXPECTED = {"StoreUnavailable", "FaceNotFound", "SubjectNotFound", "Overloaded"}


class Slow(Galleries):
    """A consumer that is a tenth of a second behind, and often further than the log reaches."""

    async def _applied(self, gallery_id: UUID, view: View) -> bool:
        await asyncio.sleep(0.1)
        return await super()._applied(gallery_id, view)


class Asleep(Galleries):
    """A consumer that reads nothing until it is woken."""

    def __init__(self, database: Database, budget: int) -> None:
        super().__init__(database, budget)
        self.woken = asyncio.Event()

    async def _applied(self, gallery_id: UUID, view: View) -> bool:
        await self.woken.wait()
        return await super()._applied(gallery_id, view)


class Writers:
    """64 of them, over as many connections as four processes have."""

    def __init__(self, databases: list[Database], gallery_id: UUID, over: float) -> None:
        self._stores = [GalleryStore(database) for database in databases]
        self._gallery_id = gallery_id
        self._over = over
        self._lot = random.Random(7)
        self.refused: set[str] = set()

    async def run(self) -> None:
        await asyncio.gather(*(self._write(self._stores[each % 4]) for each in range(WRITERS)))

    async def _write(self, store: GalleryStore) -> None:
        mine: list[UUID] = []
        while time.monotonic() < self._over:
            try:
                await self._change(store, mine)
            except Fault as fault:
                self.refused.add(type(fault).__name__)
                await asyncio.sleep(0.02)

    async def _change(self, store: GalleryStore, mine: list[UUID]) -> None:
        lot, gallery_id = self._lot, self._gallery_id
        name, dice = f"subject {lot.randrange(9)}", lot.random()
        if dice < 0.7 or not mine:
            mine.append((await enrol(store, gallery_id, name, lot.randrange(999)))[0].face_id)
        elif dice < 0.9:
            await store.erase_face(gallery_id, mine.pop())
        elif dice < 0.95:
            await store.rename_subject(gallery_id, name, f"subject {lot.randrange(12)}")
        elif dice < 0.97:
            await store.erase_faces(gallery_id, [mine.pop() for _ in mine[:3]])
        elif dice < 0.99:
            await store.erase_subject(gallery_id, name)
        else:
            await store.clear(gallery_id)


async def cut(url: str, over: float, which: str = "") -> None:
    """Ends two connections at random, ten times a second: those whose last statement is like `which`."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while time.monotonic() < over:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~* %s"
                " ORDER BY random() LIMIT 2) AS victims",
                (which,),
            )
            await asyncio.sleep(0.1)


async def trimming(database: Database, gallery_id: UUID, over: float) -> None:
    """Leaves but three changes in the log, twenty times a second."""
    while time.monotonic() < over:
        with suppress(Fault):
            async with database.transaction() as connection:
                await trim(connection, await newest_in(connection, gallery_id), kept=3)
        await asyncio.sleep(0.05)


async def disturbed(url: str, gallery_id: UUID, seconds: float) -> tuple[list[str], str]:
    """What replicas and the database have in the end, each as one hash."""
    over = time.monotonic() + seconds
    async with AsyncExitStack() as stack:
        kinds = (Galleries, Galleries, Slow)
        replicas = [await stack.enter_async_context(replica(url, kind)) for kind in kinds]
        for each in replicas:
            await each.fresh(gallery_id)
        databases = [await stack.enter_async_context(Database(url)) for _ in range(4)]
        writers = Writers(databases, gallery_id, over)
        await asyncio.gather(writers.run(), cut(url, over), trimming(databases[0], gallery_id, over))
        assert writers.refused <= EXPECTED
        return await settled(replicas, url, gallery_id)


async def settled(replicas: list[Galleries], url: str, gallery_id: UUID) -> tuple[list[str], str]:
    with psycopg.connect(url, autocommit=True) as connection, rebuilt(connection, gallery_id, False) as told:
        assert told
        assert told.revision
    deadline = time.monotonic() + SETTLED
    while True:
        have = [as_text(hash_of(each.held()[gallery_id].matrix)) for each in replicas]
        if time.monotonic() > deadline or set(have) == {told.hash}:
            return have, told.hash
        await asyncio.sleep(0.02)


async def test_replicas_end_up_as_the_database_without_being_asked(
    gallery_id: UUID, database_url: str
) -> None:
    have, truth = await disturbed(database_url, gallery_id, 2.5)
    assert have == [truth] * 3


async def with_the_lock(connection: Connection, gallery: Gallery, kind: Kind, ids: list[UUID]) -> Logged:
    """A moment passes between a revision and its commit."""
    logged = await log_changes(connection, gallery, kind, ids)
    await asyncio.sleep(random.uniform(0, 0.01))
    return logged


async def without_the_lock(connection: Connection, gallery: Gallery, kind: Kind, ids: list[UUID]) -> Logged:
    """The same, with revisions of a sequence, as so many logs have them."""
    cursor = await connection.execute(
        "INSERT INTO changes (gallery_id, revision, kind, id) VALUES (%s, nextval('revisions'), %s, %s)"
        " RETURNING revision, at",
        (gallery.id, kind, ids[0]),
    )
    logged = Logged(*(await cursor.fetchone() or ()))
    await asyncio.sleep(random.uniform(0, 0.05))
    await connection.execute(
        "UPDATE galleries SET revision = greatest(revision, %s) WHERE id = %s", (logged.revision, gallery.id)
    )
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(gallery.id)))
    return logged


async def without_loading_anew(database: Database, gallery_id: UUID, revision: int) -> Changes:
    news = await changes_since(database, gallery_id, revision)
    return news._replace(trimmed=False)


class Forgetful(Follower):
    """Follows without reading the log when it connects, or ever but when it is notified."""

    async def _follow(self, connection: Connection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        async for notice in connection.notifies():
            await self._catch_up(UUID(notice.payload))


async def added(url: str, gallery_id: UUID, sleeper: bool = False) -> tuple[list[str], str]:
    """What is had in the end of faces that 64 writers only add, while nobody is cut off.

    With a sleeper, one replica reads nothing until all is written, and trimmed but for three changes.
    """
    async with AsyncExitStack() as stack:
        kinds = (Galleries, Galleries, Asleep if sleeper else Galleries)
        replicas = [await stack.enter_async_context(replica(url, kind)) for kind in kinds]
        for each in replicas:
            await each.fresh(gallery_id)
        databases = [await stack.enter_async_context(Database(url)) for _ in range(4)]
        stores = [GalleryStore(database) for database in databases]
        await asyncio.gather(*(enrol(stores[n % 4], gallery_id, "Ann", n) for n in range(WRITERS)))
        if isinstance(replicas[2], Asleep):
            async with databases[0].transaction() as connection:
                await trim(connection, await newest_in(connection, gallery_id), kept=3)
            replicas[2].woken.set()
        return await settled(replicas, url, gallery_id)


@pytest.fixture(params=["guarded", "without its guard"])
def guarded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param == "guarded":
        return True
    monkeypatch.setattr(f"{__name__}.SETTLED", 1.0)  # so long it is waited for what does not come
    return False


async def test_who_commits_late_is_not_skipped(
    guarded: bool, store: GalleryStore, gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SEQUENCE revisions")
        connection.execute("UPDATE galleries SET model = %s, dimension = %s", (MODEL, DIMENSION))
    await store.create_subject(gallery_id, "Ann")
    monkeypatch.setattr(writing, "log_changes", with_the_lock if guarded else without_the_lock)
    if not guarded:
        monkeypatch.setattr(writing, "hold_gallery", newest_in)
    have, truth = await added(database_url, gallery_id)
    assert (have == [truth] * 3) is guarded


async def test_a_slow_consumer_that_the_log_does_not_reach_loads_anew(
    guarded: bool, gallery_id: UUID, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:
        monkeypatch.setattr(module, "changes_since", without_loading_anew)
    have, truth = await added(database_url, gallery_id, sleeper=True)
    assert (have == [truth] * 3) is guarded


async def test_what_was_notified_to_nobody_is_read_all_the_same(
    guarded: bool, gallery_id: UUID, database_url: str
) -> None:
    follower = Follower if guarded else Forgetful
    async with AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(replica(database_url, follower=follower)) for _ in range(3)
        ]
        for each in replicas:
            await each.fresh(gallery_id)
        store = GalleryStore(await stack.enter_async_context(Database(database_url)))
        cutting = asyncio.create_task(cut(database_url, time.monotonic() + 0.3, "LISTEN"))
        while not cutting.done():
            await enrol(store, gallery_id, "Ann")
        have, truth = await settled(replicas, database_url, gallery_id)
    assert (have == [truth] * 3) is guarded


async def test_a_reader_who_is_cut_off_goes_on_where_it_was(gallery_id: UUID, database_url: str) -> None:
    """Each revision comes once, in order and without a gap, however often it begins anew."""
    seen: list[int] = []

    async def read(database: Database, written: asyncio.Event) -> None:
        last = False
        while not last:
            last = written.is_set()
            try:
                news = await changes_since(database, gallery_id, seen[-1] if seen else 0)
                seen.extend(change.revision for change in news.changes)
            except Fault:
                last = False

    async def write(store: GalleryStore, number: int) -> None:
        for _ in range(4):
            with suppress(Fault):  # it may have been done all the same
                await enrol(store, gallery_id, "Ann", number)

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(database_url))
        stores = [GalleryStore(await stack.enter_async_context(Database(database_url))) for _ in range(4)]
        written = asyncio.Event()
        reading = asyncio.create_task(read(database, written))
        cutting = asyncio.create_task(cut(database_url, time.monotonic() + 60))
        await asyncio.gather(*(write(stores[n % 4], n) for n in range(WRITERS)))
        cutting.cancel()
        written.set()
        async with asyncio.timeout(10):
            await reading
        async with database.transaction() as connection:
            newest = (await newest_in(connection, gallery_id)).revision
    assert seen == list(range(1, newest + 1))
    assert newest > WRITERS
