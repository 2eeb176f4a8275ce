"""How fast faces that have been cut out are embedded: python -m bench.crops

The recogniser runs in float32, and then in int8. ONNX Runtime alone is the limit, the better of two sessions
with a thread each and one with two. mien's embedder is called by 32 clients, each with a stream and one
message under way, of one face or of eight. mosec and LitServe serve the same network to as many clients, one
face a call, as their users do it, if they are installed in a folder (BENCH_PEERS, see bench/peers). All of it
is measured in turns, on the same cores.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from bench.forms import FILES
from bench.results import write
from embedder.fetching.cache import default_cache
from embedder.pack import read_pack
from embedder.preparation import prepare
from mien.launcher.mesh import free_ports
from serving.probe import is_serving

ROUNDS = 5
SECONDS = 4.0  # of each measurement in each round
CLIENTS = 32
PEERS = ("mosec", "litserve")


class Measured(NamedTuple):
    """What clients met in one measurement."""

    rate: float  # faces a second
    p50: float  # seconds of a message
    p99: float
    cpu: float  # seconds of the server's CPU for a face


@contextmanager
def server(command: list[str], ready: Callable[[], bool], **environment: str) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        while not ready():
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(command)} did not start")
        yield psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            for each in psutil.Process(process.pid).children(recursive=True):
                each.terminate()
        process.terminate()
        process.wait(15)


def cpu(process: psutil.Process) -> float:
    """Seconds that a process and its children have worked."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def clients(kind: str, address: str, crops: int, process: psutil.Process) -> Measured:
    command = [
        sys.executable,
        "-m",
        "bench.crop_clients",
        kind,
        address,
        str(CLIENTS),
        str(crops),
        str(SECONDS),
    ]
    before = cpu(process)
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    worked = cpu(process) - before
    return Measured(told["faces"] / told["seconds"], told["p50"], told["p99"], worked / told["all"])


def raw(network: Path, sessions: int, threads: int, batch: int) -> Measured:
    command = [
        sys.executable,
        "-m",
        "bench.raw",
        str(network),
        *map(str, (sessions, threads, batch, SECONDS)),
    ]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Measured(told["rate"], 0, 0, told["cpu"])


def peer_running(name: str, folder: Path, network: Path, port: int) -> Any:
    import httpx

    def ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/", timeout=1).status_code > 0
        except httpx.HTTPError:
            return False

    script = Path(__file__).parent / "peers" / f"{name}_server.py"
    order = ["--port", str(port)] if name == "mosec" else [str(port)]
    return server([str(folder / "bin/python"), str(script), *order], ready, NETWORK=str(network))


def main() -> None:
    files = prepare(read_pack("open"), default_cache())
    for form, name in FILES.items():
        measure(form, files[name], Console(width=130))


def measure(form: str, network: Path, console: Console) -> None:
    cores = len(os.sched_getaffinity(0))
    measures: dict[str, Callable[[], Measured]] = {
        "ONNX Runtime, a session a core": lambda: raw(network, cores, 1, 8),
        "ONNX Runtime, one session": lambda: raw(network, 1, cores, 16),
    }
    rounds: dict[str, list[Measured]] = {}
    with ExitStack() as stack:
        port, *ports = free_ports(1 + len(PEERS))
        address = f"127.0.0.1:{port}"
        ours = stack.enter_context(
            server(
                [sys.executable, "-m", "embedder"],
                lambda: is_serving(address),
                EMBEDDER_LISTEN=address,
                EMBEDDER_PRECISION=form,
            )
        )
        for crops in (8, 1):
            measures[f"mien, {crops} a message"] = lambda crops=crops: clients("mien", address, crops, ours)  # type: ignore[misc]
        if folder := os.environ.get("BENCH_PEERS"):
            for name, peer_port in zip(PEERS, ports, strict=True):
                process = stack.enter_context(peer_running(name, Path(folder), network, peer_port))
                where = f"http://127.0.0.1:{peer_port}/"
                measures[name] = lambda name=name, where=where, process=process: clients(  # type: ignore[misc]
                    name, where, 1, process
                )
        for turn in range(ROUNDS):
            console.print(f"{form}, round {turn + 1} of {ROUNDS} ...", style="dim")
            for name, measure in measures.items():
                rounds.setdefault(name, []).append(measure())
    rows = [row(name, rounds) for name in rounds]
    table = Table(*rows[0], title=form)
    for each in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:.3g}" for value in each.values()))
    console.print(table)
    console.print(f"wrote {write(f'crops-{form}', rounds=ROUNDS, rows=rows)}")


def row(name: str, rounds: dict[str, list[Measured]]) -> dict[str, str | float]:
    """Medians over the rounds; ratios to the best of ONNX Runtime alone in the same round."""
    limits = [max(each, key=lambda one: one.rate) for each in zip(*list(rounds.values())[:2], strict=True)]
    mine = rounds[name]
    under_way = CLIENTS * (8 if "8 a message" in name else 1)

    def median(values: Iterator[float]) -> float:
        return statistics.median(values)

    both = list(zip(mine, limits, strict=True))
    return {
        "what": name,
        "faces/s": median(one.rate for one in mine),
        "of the limit": median(one.rate / limit.rate for one, limit in both),
        "p50 ms": median(1e3 * one.p50 for one in mine),
        "p99 ms": median(1e3 * one.p99 for one in mine),
        "p99 / (under way / limit)": median(one.p99 / (under_way / limit.rate) for one, limit in both),
        "CPU ms/face": median(1e3 * one.cpu for one in mine),
        "CPU of the limit's": median(one.cpu / limit.cpu for one, limit in both),
    }


if __name__ == "__main__":
    main()
