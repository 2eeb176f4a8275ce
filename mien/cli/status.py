"""`mien status`: the processes of a running mesh, and whether they serve."""

from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mien.cli.plainly import CommandError
from mien.cli.table import show_table
from mien.launcher.folder import Folder, default_folder
from serving.probe import is_serving

PATIENCE = 3  # seconds


class Row(NamedTuple):
    process: str
    address: str
    health: str
    metrics: str  # a URL; empty if it serves none


def show_status(data: Path | None) -> None:
    """Prints a line for each process. Raises CommandError if no mesh runs, or one does not serve."""
    folder = Folder(data or default_folder())
    state = folder.state()
    if state is None:
        raise CommandError(f"no mesh is running in {folder.path}; name its folder with --data")
    rows = [_database(state["database_url"]), *(_process(state, name) for name in state["metrics"])]
    show_table(Row._fields, rows)
    if silent := [row.process for row in rows if row.health != "serving"]:
        raise CommandError(f"not serving: {', '.join(silent)}")


def _database(url: str) -> Row:
    place = conninfo_to_dict(url)
    try:
        psycopg.connect(url, connect_timeout=PATIENCE).close()
        serves = True
    except psycopg.OperationalError:
        serves = False
    return Row("postgres", f"{place.get('host', 'localhost')}:{place.get('port', 5432)}", _health(serves), "")


def _process(state: dict[str, Any], name: str) -> Row:
    address = f"127.0.0.1:{state['ports'][name]}"
    return Row(name, address, _health(is_serving(address)), state["metrics"][name])


def _health(serves: bool) -> str:
    return "serving" if serves else "NOT SERVING"
