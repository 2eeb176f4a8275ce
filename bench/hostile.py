"""What hostile clients do to others: python -m bench.hostile [SECONDS]

A client recognises a photograph and another lists subjects, each call on a connection of its own: first in
peace, then beside each attack, then in peace again. Memory is the most that the processes of the mesh take.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.attacks import ATTACKS
from bench.mesh import Running, running
from bench.results import percentile, write
from embedder.fetching.cache import default_cache
from embedder.samples import photographs

SECONDS = 15.0  # of each
PAUSE = 0.02  # seconds between the calls of a client
API = "/api/v1/recognition"


class Call(NamedTuple):
    kind: str
    seconds: float
    status: int  # 0: none came


class Honest:
    """Clients that do as they should, each call on a new connection."""

    def __init__(self, address: str, key: str, photograph: bytes) -> None:
        self._url, self._headers = f"http://{address}{API}", {"x-api-key": key}
        self._photograph = photograph
        self.calls: list[Call] = []

    @contextmanager
    def calling(self) -> Iterator[None]:
        """They call for the length of the block."""
        stop = threading.Event()
        clients = [threading.Thread(target=self._go_on, args=(kind, stop)) for kind in ("photograph", "list")]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            stop.set()
            for client in clients:
                client.join()

    def _go_on(self, kind: str, stop: threading.Event) -> None:
        while not stop.wait(PAUSE):
            began = time.perf_counter()
            try:
                status = self._call(kind).status_code
            except httpx.HTTPError:
                status = 0
            self.calls.append(Call(kind, time.perf_counter() - began, status))

    def _call(self, kind: str) -> httpx.Response:
        with httpx.Client(headers=self._headers, timeout=30, verify=False) as client:
            if kind == "list":
                return client.get(f"{self._url}/subjects")
            return client.post(f"{self._url}/recognize", files={"file": ("a.jpg", self._photograph)})


class Memory:
    """The most that each process of a mesh takes, looked at ten times a second."""

    def __init__(self, folder: Path) -> None:
        self._processes = [psutil.Process(json.loads((folder / "mesh.json").read_text())["pid"])]
        self._processes += self._processes[0].children(recursive=True)
        self.most: dict[str, int] = {}  # bytes

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.most = {}
        stop = threading.Event()
        watching = threading.Thread(target=self._watch, args=(stop,))
        watching.start()
        try:
            yield
        finally:
            stop.set()
            watching.join()

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(0.1):
            for process in self._processes:
                with suppress(psutil.NoSuchProcess):  # Postgres ends connections that nobody uses
                    name = _name(process)
                    self.most[name] = max(self.most.get(name, 0), process.memory_info().rss)


def attackers(
    address: str, names: list[str], seconds: float, nice: int = 19
) -> list["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bench.attacks"]
    return [
        subprocess.Popen(
            [*command, name, address, str(seconds), str(nice)], stdout=subprocess.PIPE, text=True
        )
        for name in names
    ]


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    for name in ("envoy", "classifier", "embedder", "admin", "postgres"):
        if any(word.endswith((f"/{name}",)) or word == name for word in words):
            return name
    return "mien"


def measure(mesh: Running, seconds: float) -> list[dict[str, Any]]:
    photograph = photographs(default_cache())["obama"].read_bytes()
    memory, rows = Memory(Path(mesh.data)), []
    for name in ("", *ATTACKS, ""):
        honest = Honest(mesh.address, mesh.key, photograph)
        attack = attackers(mesh.address, [name] if name else [], seconds)
        with memory.watched(), honest.calling():
            if attack:
                (told,) = [json.loads(each.communicate()[0]) for each in attack]
            else:
                time.sleep(seconds)
                told = {}
        rows.append(_row(name or "peace", honest.calls, memory.most, told))
    return rows


def _row(name: str, calls: list[Call], memory: dict[str, int], told: dict[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {"attack": name}
    for kind in ("photograph", "list"):
        took = sorted(call.seconds for call in calls if call.kind == kind)
        row |= {f"{kind} p50 ms": 1e3 * percentile(took, 0.5), f"{kind} p99 ms": 1e3 * percentile(took, 0.99)}
    row["calls"] = len(calls)
    row["failed"] = sum(call.status != 200 for call in calls)
    return row | {f"{process} MB": round(most / 1e6) for process, most in memory.items()} | {"told": told}


def main(seconds: float = SECONDS) -> None:
    console = Console(width=200)
    with running() as mesh:
        rows = measure(mesh, seconds)
    table = Table(*(name for name in rows[0] if name != "told"), "p99 to peace")
    peace = {
        kind: (rows[0][f"{kind} p99 ms"] + rows[-1][f"{kind} p99 ms"]) / 2 for kind in ("photograph", "list")
    }
    for row in rows:
        ratios = [f"{row[f'{kind} p99 ms'] / calm:.2f}" for kind, calm in peace.items()]
        values = [
            f"{value:.1f}" if isinstance(value, float) else str(value)
            for name, value in row.items()
            if name != "told"
        ]
        table.add_row(*values, " ".join(ratios))
    console.print(table)
    for row in rows:
        console.print(row["attack"], row["told"])
    console.print(f"wrote {write('hostile', seconds=seconds, rows=rows)}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
