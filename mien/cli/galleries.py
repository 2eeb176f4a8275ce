"""`mien galleries list`: what the database has of each gallery."""

import json
from pathlib import Path

from mien.cli.services import in_database
from store.rebuilding import list_galleries


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
