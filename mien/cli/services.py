"""`mien services`: works on the database of a mesh, whether it runs or not."""

import json
from pathlib import Path
from typing import Any

import psycopg

from mien.cli.database import in_database
from mien.cli.table import show_table
from store.retention import Keeping, keep, keeping_of
from store.services import Service, create_service, list_services, set_policy


def create(name: str, kind: str, data: Path | None, as_json: bool, images: bool = True) -> None:
    def make(connection: psycopg.Connection[Any]) -> tuple[Service, str]:
        with connection.transaction():
            made = create_service(connection, name, kind)
            if not images:
                keep(connection, name, Keeping(images=False, images_days=None, faces_days=None))
            return made

    service, key = in_database(data, make, make=True)
    if as_json:
        print(json.dumps({"id": str(service.id), "name": name, "type": kind, "api_key": key}))
    else:
        print(key)


def show(data: Path | None, as_json: bool) -> None:
    services = in_database(data, list_services)
    if as_json:
        print(json.dumps([_told(each) for each in services], indent=1))
        return
    show_table(
        ("name", "type", "false-match rate", "id"),
        [(each.name, each.type, _rate(each.false_match_rate), str(each.id)) for each in services],
    )


def policy(name: str, false_match_rate: float, data: Path | None) -> None:
    def change(connection: psycopg.Connection[Any]) -> None:
        set_policy(connection, name, false_match_rate)

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

    kept = in_database(data, change)
    print(f"new images: {'kept' if kept.images else 'not kept'}")
    print(f"images: {_days(kept.images_days, 'as long as their faces')}")
    print(f"faces: {_days(kept.faces_days, 'until they are erased')}")


def _rate(false_match_rate: float | None) -> str:
    return f"{false_match_rate:g}" if false_match_rate else ""


def _days(days: int | None, forever: str) -> str:
    return f"{days} days" if days else forever


def _told(service: Service) -> dict[str, str | float]:
    """As JSON; what a service does not have is left out."""
    rate = service.false_match_rate
    told = {"id": str(service.id), "name": service.name, "type": service.type}
    return told | ({"false_match_rate": rate} if rate else {})
