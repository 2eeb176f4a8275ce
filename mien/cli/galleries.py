"""`mien galleries list`, `move` and `scrub`: what the database has of galleries, and where."""

import json
from pathlib import Path
from typing import Any, get_args

import psycopg

from mien.cli.database import in_database
from mien.cli.plainly import CommandError
from mien.cli.table import show_table
from store.homes import want_of
from store.rebuilding import Named, list_galleries
from store.revisions import Place
from store.scrubbing import scrub


def show(data: Path | None, as_json: bool) -> None:
    galleries = in_database(data, list_galleries)
    if as_json:
        print(json.dumps([each._asdict() for each in galleries], indent=1, default=str))
        return
    show_table(
        ("service", "revision", "faces", "model", "searched in", "gallery"),
        [
            (each.name, str(each.revision), str(each.faces), each.model or "", _where(each), str(each.id))
            for each in galleries
        ],
    )


def scrub_all(data: Path | None) -> None:
    left = "its files have nothing more of what was erased"
    if not in_database(data, scrub):
        left = (
            "its tables have; its write-ahead log is for a superuser to leave behind: SELECT pg_switch_wal()"
        )
    print(f"the database was written anew: {left}")


def move(service: str, to: str, data: Path | None) -> None:
    place = next((each for each in get_args(Place) if each == to), None)
    if place is None:
        raise CommandError(f"a gallery is in memory or in the database; {to!r} is neither")

    def want(connection: psycopg.Connection[Any]) -> None:
        want_of(connection, service, place)

    in_database(data, want)


def _where(gallery: Named) -> str:
    return f"{gallery.home}, moving to {gallery.moving_to}" if gallery.moving_to else gallery.home
