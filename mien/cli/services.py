"""`mien services`: works on the database of a mesh, whether it runs or not."""

import asyncio
import json
import os
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from rich.console import Console
from rich.table import Table

from mien.cli.plainly import CommandError
from mien.launcher.folder import Folder, default_folder
from mien.launcher.mesh import free_port
from mien.launcher.postgres import Postgres
from store.audit import COMMAND, act_as
from store.migrations import migrate
from store.retention import Keeping, keep, keeping_of
from store.services import Service, create_service, list_services, set_policy

T = TypeVar("T")

PATIENCE = 30.0  # seconds until a database that was stopped must answer


def create(name: str, kind: str, data: Path | None, as_json: bool, images: bool = True) -> None:
    def make(connection: psycopg.Connection[Any]) -> tuple[Service, str]:
        with connection.transaction():
            made = create_service(connection, name, kind)
            if not images:
                keep(connection, name, Keeping(images=False, images_days=None, faces_days=None))
            return made

    service, key = in_database(data, make)
    if as_json:
        print(json.dumps({"id": str(service.id), "name": name, "type": kind, "api_key": key}))
    else:
        print(key)


def show(data: Path | None, as_json: bool) -> None:
    expect_mesh(data)
    services = in_database(data, list_services)
    if as_json:
        print(json.dumps([_told(each) for each in services], indent=1))
        return
    table = Table("name", "type", "false-match rate", "id", box=None)
    for service in services:
        rate = service.false_match_rate
        table.add_row(service.name, service.type, f"{rate:g}" if rate else "", str(service.id))
    Console().print(table)


def policy(name: str, false_match_rate: float, data: Path | None) -> None:
    def change(connection: psycopg.Connection[Any]) -> None:
        set_policy(connection, name, false_match_rate)

    expect_mesh(data)
    in_database(data, change)


def retention(
    name: str, images_days: int | None, faces_days: int | None, images: bool | None, data: Path | None
) -> None:
    def change(connection: psycopg.Connection[Any]) -> Keeping:
        before = keeping_of(connection, name)
        after = Keeping(
            before.images if images is None else images,
            before.images_days if images_days is None else images_days or None,
            before.faces_days if faces_days is None else faces_days or None,
        )
        if after != before:
            keep(connection, name, after)
        return after

    expect_mesh(data)
    kept = in_database(data, change)
    print(f"new images: {'kept' if kept.images else 'not kept'}")
    print(f"images: {_days(kept.images_days, 'as long as their faces')}")
    print(f"faces: {_days(kept.faces_days, 'until they are erased')}")


def _days(days: int | None, forever: str) -> str:
    return f"{days} days" if days else forever


def _told(service: Service) -> dict[str, str | float]:
    """As JSON; what a service does not have is left out."""
    rate = service.false_match_rate
    told = {"id": str(service.id), "name": service.name, "type": service.type}
    return told | ({"false_match_rate": rate} if rate else {})


def expect_mesh(data: Path | None) -> None:
    """Raises CommandError if there is none, so that none is made by a misspelling."""
    folder = Folder(data or default_folder())
    if not folder.postgres.exists() and not os.environ.get("DATABASE_URL"):
        raise CommandError(f"there is no mesh in {folder.path}; name its folder with --data")


def in_database(data: Path | None, work: Callable[[psycopg.Connection[Any]], T]) -> T:
    """What `work` returns of the database of the mesh in `data`, which may be running or not.

    With no folder named it is that of DATABASE_URL, if set, or of the mesh in the default folder. Raises
    CommandError, FolderError.
    """
    folder = Folder(data or default_folder())
    state = folder.state()
    if data is None and (url := os.environ.get("DATABASE_URL")):
        return connected(url, work)
    if state:
        return connected(state["database_url"], work)
    with folder.held():
        return asyncio.run(_started(folder, work))


def connected(url: str, work: Callable[[psycopg.Connection[Any]], T]) -> T:
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
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await asyncio.to_thread(connected, postgres.url, work)
                except CommandError:
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise CommandError(f"the database in {folder.postgres} does not start") from None
    finally:
        await process.stop(5.0)
