"""`mien models`: fetches model packs, and shows how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from embedder.fetching.cache import default_cache
from embedder.fetching.progress import Progress as Report
from embedder.pack import read_pack
from embedder.preparation import prepare


def pull_pack(name: str) -> None:
    """Brings a model pack into the cache. Raises FetchError, PackUnknown."""
    pack = read_pack(name)
    with bars() as report:
        prepare(pack, default_cache(), report)


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
