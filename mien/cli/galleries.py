"""`mien galleries list`: what the database has of each gallery."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mien.cli.services import in_database
from store.rebuilding import list_galleries


def show(data: Path | None, as_json: bool) -> None:
    galleries = in_database(data, list_galleries)
    if as_json:
        print(json.dumps([each._asdict() for each in galleries], indent=1, default=str))
        return
    table = Table("service", "revision", "faces", "model", "gallery", box=None)
    for each in galleries:
        table.add_row(each.name, str(each.revision), str(each.faces), each.model or "", str(each.id))
    Console(soft_wrap=True).print(table)
