"""`mien galleries list`, `scrub`: what the database has of galleries, and no longer has."""

import json
from pathlib import Path

from mien.cli.services import in_database
from store.rebuilding import list_galleries
from store.scrubbing import scrub


def show(data: Path | None, as_json: bool) -> None:
    galleries = in_database(data, list_galleries)
    if as_json:
        print(json.dumps([each._asdict() for each in galleries], indent=1, default=str))
        return
    table = [("service", "revision", "faces", "model", "gallery")]
    table += [
        (each.name, str(each.revision), str(each.faces), each.model or "", str(each.id)) for each in galleries
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def scrub_all(data: Path | None) -> None:
    left = "its files have nothing more of what was erased"
    if not in_database(data, scrub):
        left = (
            "its tables have; its write-ahead log is for a superuser to leave behind: SELECT pg_switch_wal()"
        )
    print(f"the database was written anew: {left}")
