"""The launcher's own PostgreSQL: made once, kept, private, and back after a crash."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from mien.launcher.mesh import free_port
from mien.launcher.postgres import Postgres
from mien.launcher.process import Process, User, bound

BACK_WITHIN = 2.0  # seconds
NOBODY = 65534


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Below a folder that is its owner's alone, as /root is."""
    private = Path(mkdtemp(prefix="mien-test-"))
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    yield private / "mesh/postgres"
    shutil.rmtree(private)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Postgres, Process]]:
    postgres = Postgres(folder, free_port())
    await asyncio.to_thread(postgres.create)
    process = postgres.process(lambda name, line: None)
    process.start()
    await answering(postgres.url)
    try:
        yield postgres, process
    finally:
        await process.stop(10)


async def answering(url: str) -> float:
    """How many seconds it took until it answered."""
    began = time.monotonic()
    async with asyncio.timeout(20):
        while True:
            try:
                with psycopg.connect(url):
                    return time.monotonic() - began
            except psycopg.OperationalError:
                await asyncio.sleep(0.02)


def shown(url: str, *names: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]  # type: ignore[index, arg-type, misc]


async def test_it_lies_below_a_private_folder_and_is_made_as_we_want_it(folder: Path) -> None:
    async with running(folder) as (postgres, _):
        settings = (
            "server_encoding",
            "data_checksums",
            "fsync",
            "listen_addresses",
            "unix_socket_directories",
        )
        assert shown(postgres.url, *settings) == ["UTF8", "on", "on", "127.0.0.1", ""]
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute(
                "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'postgres'"
            ).fetchone()
        assert row == ("b", "C.UTF-8")
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


async def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    async with running(folder) as (postgres, _):
        password = (folder / "password").read_text()
        for wrong in ("", "wrong"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(postgres.url.replace(password, wrong))
    assert len(password) >= 24


async def test_what_was_committed_outlives_a_stop_and_a_kill(folder: Path) -> None:
    async with running(folder) as (postgres, _):
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    async with running(folder) as (postgres, process):
        with psycopg.connect(postgres.url) as connection:
            connection.execute("INSERT INTO kept VALUES (2)")
        busy = await psycopg.AsyncConnection.connect(postgres.url)  # a backend that outlives its postmaster
        asleep = asyncio.create_task(busy.execute("SELECT pg_sleep(600)"))
        await asyncio.sleep(0.1)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        assert await answering(postgres.url) < BACK_WITHIN
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT n FROM kept ORDER BY n").fetchall() == [(1,), (2,)]
            connection.execute("DROP TABLE kept")
        with pytest.raises(psycopg.OperationalError):
            await asleep
        await busy.close()


async def test_a_stop_does_not_wait_for_those_who_are_connected(folder: Path) -> None:
    async with running(folder) as (postgres, process):
        connected = psycopg.connect(postgres.url)
        told = time.monotonic()
        await process.stop(10)
        assert time.monotonic() - told < 3
        connected.close()


async def test_the_number_of_a_dead_postmaster_may_be_somebody_elses_now(folder: Path) -> None:
    """Numbers are handed out again; in a container that starts anew it is soon."""
    async with running(folder):
        left = (folder / "data/postmaster.pid").read_text()
    told = (folder / "data").stat()
    user = {"user": told.st_uid, "group": told.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    other = subprocess.Popen(["sleep", "60"], **user)  # type: ignore[call-overload]
    try:
        lines = left.splitlines()
        (folder / "data/postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        os.chown(folder / "data/postmaster.pid", told.st_uid, told.st_gid)
        async with asyncio.timeout(10):
            async with running(folder):
                pass
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="it is what the other tests do already")
def test_a_user_other_than_root_runs_it_too() -> None:
    home = Path(mkdtemp(prefix="mien-test-"))
    os.chown(home, NOBODY, NOBODY)
    script = (
        "import asyncio\nfrom pathlib import Path\nfrom tests.launcher.test_postgres import running, shown\n"
        "async def main():\n"
        f"    async with running(Path({str(home)!r}) / 'postgres') as (postgres, _):\n"
        "        print(shown(postgres.url, 'data_checksums'))\n"
        "asyncio.run(main())"
    )
    command = bound([sys.executable, "-c", script], signal.SIGTERM, User(NOBODY, NOBODY))
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True
        )
        assert done.stdout == "['on']\n", done.stderr
        assert (home / "postgres/data").stat().st_uid == NOBODY
    finally:
        shutil.rmtree(home)
