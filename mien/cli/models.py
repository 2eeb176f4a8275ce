"""`mien models`: what model packs there are, fetched, looked at, chosen."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from embedder.fetching.cache import default_cache
from embedder.fetching.progress import Progress as Report
from embedder.pack import DEFAULT, Pack, known_packs, read_pack
from embedder.pack_errors import PackError
from embedder.preparation import prepare, prepared
from embedder.terms import accept, accepted
from mien.cli.plainly import CommandError
from mien.launcher.folder import Folder, default_folder


class _Row(NamedTuple):
    name: str  # as commands call the pack
    model: str  # as galleries know it
    dimension: int
    licence: str
    fetched: bool
    in_use: bool


def show(data: Path | None, as_json: bool) -> None:
    """Prints the packs that come with mien, and the chosen one if it is the user's own."""
    chosen = _chosen(data)
    rows, trouble = [], None
    for name in known_packs() + ([chosen] if chosen not in known_packs() else []):
        try:
            pack = read_pack(name)
        except PackError as error:
            trouble = error
            continue
        fetched = prepared(pack, default_cache()) is not None
        rows.append(_Row(name, pack.name, pack.dimension, _licence(pack), fetched, name == chosen))
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=1))
    else:
        Console(soft_wrap=True, highlight=False).print(_table(rows))
    if trouble:
        raise CommandError(f"the pack in use cannot be read: {trouble}")


def pull(name: str, accepting: bool) -> None:
    """Says where a pack comes from and under which licence, and fetches it."""
    pack = read_pack(name)
    print(f"{pack.name}:")
    for role, network in pack.networks.items():
        shown = role if role == network.name else f"{role} ({network.name})"
        print(f"  {shown}: {network.licence}, from {network.archive}")
    _accept(pack, accepting)
    pull_pack(pack)
    print(f"{pack.name} is ready, in {default_cache()}")


def pull_pack(pack: Pack) -> None:
    """Brings a model pack into the cache. Raises FetchError, and PackError if it cannot be used."""
    with bars() as report:
        prepare(pack, default_cache(), report)


def check(name: str | None, data: Path | None) -> None:
    """Prints what there is to say of a pack, by default the chosen one. Raises CommandError if it is bad."""
    from embedder.checks import examine  # runs networks, which take a while to import

    called = name or _chosen(data)
    pack = read_pack(called)
    print(f"{pack.name}:")
    wrong = 0
    for finding in examine(pack, default_cache(), called):
        wrong += bool(finding.wrong)
        print(f"  {'WRONG' if finding.wrong else 'ok   '} {finding.what}", end="")
        print(f": {finding.wrong}" if finding.wrong else "", flush=True)
    if wrong:
        raise CommandError(f"{pack.name} cannot be used as it is")


def use(name: str, data: Path | None, accepting: bool) -> None:
    """Fetches a pack and remembers it for the mesh; warns of galleries that it does not fit."""
    pack = read_pack(name)
    _accept(pack, accepting)
    pull_pack(pack)
    folder = Folder(data or default_folder())
    folder.choose(str(Path(name).absolute()) if name.endswith(".toml") else name)
    print(f"mien up serves {pack.name} from now on, of the data in {folder.path}")
    if folder.state():
        print("A mesh is running there: stop it and start it again.")
    if os.environ.get("EMBEDDER_PACK"):
        print("EMBEDDER_PACK is set, and goes before this choice: unset it.")
    if folder.postgres.exists() or (data is None and os.environ.get("DATABASE_URL")):
        _warn_of_others(pack, data)


@contextmanager
def bars() -> Iterator[Report]:
    """Takes reports of progress, and draws a bar for each thing that is under way."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total or None)

        yield report


def _chosen(data: Path | None) -> str:
    """The pack that `mien up` would serve."""
    return os.environ.get("EMBEDDER_PACK") or Folder(data or default_folder()).pack or DEFAULT


def _accept(pack: Pack, accepting: bool) -> None:
    """Asks for a yes to the terms, unless it was given. Raises CommandError, and TermsNotAccepted."""
    if pack.terms is None or accepted(pack, default_cache()):
        return
    if not accepting and sys.stdin.isatty():
        print(f"{pack.terms.says}: {pack.terms.url}", file=sys.stderr)
        if not typer.confirm("Do you accept that?", err=True):
            raise CommandError(f"nothing was fetched; {DEFAULT} and sface are free for any purpose")
        accepting = True
    if accepting:
        accept(pack, default_cache())


def _warn_of_others(pack: Pack, data: Path | None) -> None:
    from mien.cli.database import in_database
    from store.services import enrolled_otherwise

    others = in_database(data, lambda connection: enrolled_otherwise(connection, pack.name))
    if others:
        print("\nThese galleries were enrolled with another model. Recognition in them is refused")
        print("(MODEL_MISMATCH) for as long as this pack serves.")
        for each in others:
            print(
                f"  {each.service}: {each.faces} {'face' if each.faces == 1 else 'faces'}, with {each.model}"
            )
        print("Choose that model again, or enrol them anew.")


def _licence(pack: Pack) -> str:
    """The licences of what a pack runs, in few words."""
    run = {*pack.detection.networks, "predictor", "recogniser", "age", "gender"}  # a detector may lie idle
    return ", ".join(dict.fromkeys(each.licence for name, each in pack.networks.items() if name in run))


def _table(rows: list[_Row]) -> Table:
    table = Table("name", "dimension", "licence", "fetched", "in use", box=None)
    for row in rows:
        table.add_row(row.name, str(row.dimension), row.licence, _yes(row.fetched), _yes(row.in_use))
    return table


def _yes(value: bool) -> str:
    return "yes" if value else ""
