"""The database of a mesh, for commands that work whether it runs or not."""

import asyncio
import os
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from mien.cli.plainly import CommandError
from mien.launcher.folder import Folder, default_folder
from mien.launcher.mesh import free_port
from mien.launcher.postgres import Postgres
from store.audit import COMMAND, act_as
from store.migrations import migrate

T = TypeVar("T")

PATIENCE = 30.0  # seconds until a database that was stopped must answer


def in_database(data: Path | None, work: Callable[[psycopg.Connection[Any]], T], *, make: bool = False) -> T:
    """What `work` returns of the database of the mesh in `data`, which may be running or not.

    With no folder named it is that of DATABASE_URL, if set, or of the mesh in the default folder. One that is
    not there is made if `make` says so: else a misspelt folder would become one. Raises CommandError,
    FolderError.
    """
    folder = Folder(data or default_folder())
    if data is None and (url := os.environ.get("DATABASE_URL")):
        return connected(url, work)
    if state := folder.state():
        return connected(state["database_url"], work)
    if not make and not folder.postgres.exists():
        raise CommandError(f"there is no mesh in {folder.path}; name its folder with --data")
    with folder.held():
        return asyncio.run(_started(folder, work))


def connected(url: str, work: Callable[[psycopg.Connection[Any]], T]) -> T:
    """What `work` returns of the database there, brought up to date. Raises CommandError."""
    try:
        migrate(url)
        with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
            typed = copy_context()
            typed.run(act_as, COMMAND)
            return typed.run(work, connection)
    except psycopg.OperationalError as error:
        raise CommandError(f"the database cannot be reached: {error}") from None


async def _started(folder: Folder, work: Callable[[psycopg.Connection[Any]], T]) -> T:
    """Runs the mesh's own Postgres for as long as the work takes."""
    postgres = Postgres(folder.postgres, free_port())
    await asyncio.to_thread(postgres.create)
    process = postgres.process(lambda name, line: None)
    process.start()
    try:
        await asyncio.to_thread(_wait_for, postgres.url)
        return await asyncio.to_thread(connected, postgres.url, work)
    except TimeoutError:
        raise CommandError(f"the database in {folder.postgres} does not start") from None
    finally:
        await process.stop(5.0)


def _wait_for(url: str) -> None:
    """Returns once it answers. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(url, connect_timeout=3).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(0.1)
