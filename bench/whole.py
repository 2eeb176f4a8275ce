"""How fast whole photographs are recognised, beside the limit and a peer: python -m bench.whole

And then under CompreFace's own load test, which bench/load.py describes. The limit is ONNX Runtime alone with
the same networks, one session run in as many threads as there are cores. The peer is dlib's own recogniser
(package dlib-bin, built without BLAS) on ready chips. Ratios are what counts: milliseconds change with the
machine and with what else it does.
"""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dlib
import grpc
import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from bench import load
from bench.forms import FILES, fixed
from bench.mesh import Running, running
from bench.results import percentile, write
from embedder.fetching.cache import default_cache
from embedder.pack import read_pack
from embedder.preparation import prepare
from embedder.refining import REGION, SIDES
from embedder.samples import photographs
from embedder.session import Session
from mien.v1 import embedder_pb2, face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub

ROUNDS = 5
SECONDS = 3.0  # of each measurement in each round
CALLERS = 8  # CompreFace's load tests have as many connections

# Makes one call; measured by how many of it are done a second.
Call = Callable[[], object]


def rate(call: Call, callers: int) -> tuple[float, list[float]]:
    """Calls a second, made by so many callers without pause, and the seconds that each took."""
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    def go_on() -> None:
        while (began := time.perf_counter()) < end:
            call()
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        for future in [pool.submit(go_on) for _ in range(callers)]:
            future.result()
    return len(took) / (time.perf_counter() - began), took


def limits() -> dict[str, tuple[Call, int]]:
    """ONNX Runtime alone, and dlib alone."""
    pack = read_pack("open")
    networks = prepare(pack, default_cache())
    finder, placer = (Session(networks[name]) for name in ("yunet", "centerface"))
    recogniser = Session(networks[FILES[fixed()]])
    # What the sample photograph becomes: 3:4, its long side as the detector takes it, twice; one face.
    canvases = [np.zeros((1, 3, side, side * 13 // 16 // 32 * 32), np.float32) for side in SIDES]
    region = np.zeros((1, 3, REGION, REGION), np.float32)
    chip = np.random.default_rng(0).integers(0, 256, (1, pack.chip_size, pack.chip_size, 3), np.uint8)

    def all_of_them() -> None:
        for canvas in canvases:
            finder.run(canvas)
        placer.run(region)
        recogniser.run(chip)

    peer = dlib.face_recognition_model_v1(str(_source(networks)))
    cores = len(os.sched_getaffinity(0))
    return {
        "ONNX Runtime alone, all networks": (all_of_them, cores),
        "ONNX Runtime alone, recogniser": (lambda: recogniser.run(chip), cores),
        "dlib-bin, recogniser": (lambda: peer.compute_face_descriptor(chip[0]), cores),
    }


def _source(networks: dict[str, Path]) -> Path:
    """dlib's own file, of which our network was made."""
    member = read_pack("open").networks["recogniser"].member
    return next(networks["recogniser"].parents[1].rglob(Path(member.path).name))


def calls(mesh: Running) -> dict[str, tuple[Call, int]]:
    photograph = photographs(default_cache())["obama"].read_bytes()
    channel = grpc.insecure_channel(mesh.embedder)
    client = httpx.Client(
        base_url=f"http://{mesh.address}/api/v1/recognition", headers={"x-api-key": mesh.key}
    )
    request = embedder_pb2.AnalyzeRequest(image=photograph, outputs=[face_pb2.FACE_OUTPUT_EMBEDDING])
    stub = EmbedderServiceStub(channel)

    def recognize() -> None:
        answer = client.post("/recognize", files={"file": ("obama.jpg", photograph)}, timeout=30)
        answer.raise_for_status()

    return {
        "mien, Analyze by gRPC": (lambda: stub.Analyze(request), CALLERS),
        "mien, REST recognize": (recognize, CALLERS),
        "mien, REST recognize, one caller": (recognize, 1),
    }


def main() -> None:
    console = Console()
    measured: dict[str, list[float]] = {}
    took: dict[str, list[float]] = {}
    alone = limits()
    with running() as mesh:
        everything = {**alone, **calls(mesh)}
        for call, _ in everything.values():
            call()  # warm
        for turn in range(ROUNDS):
            console.print(f"round {turn + 1} of {ROUNDS} ...", style="dim")
            for name, (call, callers) in everything.items():
                per_second, seconds = rate(call, callers)
                measured.setdefault(name, []).append(per_second)
                took.setdefault(name, []).extend(seconds)
        console.print(f"CompreFace's load test, {load.MINUTE:.0f} seconds ...", style="dim")
        under_load = load.measure(mesh)
    rows = [_row(name, measured, took) for name in measured]
    table = Table("what", "a second", "of the limit", "p50 ms", "p99 ms")
    for row in rows:
        table.add_row(row["what"], *(f"{row[key]:.2f}" for key in list(row)[1:]))
    console.print(table)
    console.print(f"wrote {write('ratios', rounds=ROUNDS, rows=rows)}")
    load.report(under_load, load.MINUTE, console.print)


def _row(name: str, measured: dict[str, list[float]], took: dict[str, list[float]]) -> dict[str, str | float]:
    recogniser = "recogniser" in name
    limit = "ONNX Runtime alone, recogniser" if recogniser else "ONNX Runtime alone, all networks"
    ratios = [one / other for one, other in zip(measured[name], measured[limit], strict=True)]
    ordered = sorted(took[name])
    return {
        "what": name,
        "a second": statistics.median(measured[name]),
        "of the limit": statistics.median(ratios),
        "p50 ms": 1e3 * percentile(ordered, 0.5),
        "p99 ms": 1e3 * percentile(ordered, 0.99),
    }


if __name__ == "__main__":
    main()
