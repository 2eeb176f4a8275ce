"""Compares the forms of a recogniser: python -m bench.precision FOLDER

float32 and int8, by how fast they are, how far embeddings move, and what that does to pairs of faces; and
both beside the middle of a face and its mirror image (EMBEDDER_FLIP). bench/faces.py says what has to be in
the folder. Of embeddings only those count whose people had no part in the ranges of int8 (bench/ranges.py).
"""

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from bench.curve import asked_for
from bench.disturbances import DISTURBANCES
from bench.faces import Face, read_faces
from bench.pairs import Kind, Numbers, compare, rate
from bench.pipeline import open_pipeline
from bench.ranges import halves
from bench.report import console
from bench.results import write
from embedder.detector import Floats, Pixels
from embedder.fetching.cache import default_cache
from embedder.pack import DEFAULT, Pack, read_pack
from embedder.preparation import IN_INT8, prepare
from embedder.recogniser import Recogniser
from embedder.session import Session

BATCHES = (1, 2, 4, 8, 16)
ROUNDS = 15
SECONDS = 0.2  # of each form in each round

Embed = Callable[[Sequence[Pixels]], list[Floats]]


async def main(folder: Path) -> None:
    async with open_pipeline() as pipeline:
        faces = await read_faces(pipeline, folder)
    pack = read_pack(DEFAULT)
    files = prepare(pack, default_cache())
    forms = {
        f"{name}{', flip' * flip}": Recogniser(Session(files[key]), flip=flip).embed
        for name, key in (("float32", "recogniser"), ("int8", IN_INT8))
        for flip in (False, True)
    }
    agreement = agree(forms["float32"], forms["int8"], halves(faces)[1])
    errors = err(forms, faces, pack)
    speeds = race(forms, [face.chip for face in faces])
    console.print(f"wrote {write('precision', agreement=agreement, errors=errors, speeds=speeds)}")


def agree(exact: Embed, rounded: Embed, faces: list[Face]) -> list[dict[str, object]]:
    """The cosines of what both make of each face, undisturbed and disturbed."""
    table, rows = Table("chips", "least cosine", "1 of 100", "mean", title=f"int8, {len(faces)} faces"), []
    for name, disturb in DISTURBANCES.items():
        chips = [disturb(face.chip) for face in faces]
        cosines = np.sum(embedded(exact, chips) * embedded(rounded, chips), axis=1)
        row = float(cosines.min()), float(np.quantile(cosines, 0.01)), float(cosines.mean())
        table.add_row(name, *(f"{each:.5f}" for each in row))
        rows.append({"chips": name, "least": row[0], "mean": row[2]})
    console.print(table)
    return rows


def err(forms: dict[str, Embed], faces: list[Face], pack: Pack) -> list[dict[str, object]]:
    """How often pairs are told wrong, at the pack's threshold and at the one that a form asks for itself."""
    table, rows = (
        Table("", "threshold", "steepness", *(kind.name for kind in Kind), "a pair moves by, mean, most"),
        [],
    )
    chips = [face.chip for face in faces]
    first: Numbers | None = None
    for name, embed in forms.items():
        pairs = compare(faces, embedded(embed, chips))
        first = pairs.distances if first is None else first
        moved = np.abs(pairs.distances - first)
        asked = asked_for(pairs)
        for threshold in dict.fromkeys((pack.calibration.threshold, asked.threshold)):
            rates = [rate(pairs.of(kind), threshold) for kind in Kind]
            shift = f"{moved.mean():.4f}, {moved.max():.4f}"
            steepness = f"{asked.steepness:.1f}"
            table.add_row(
                name, f"{threshold:.3f}", steepness, *(f"{100 * each:.2f} %" for each in rates), shift
            )
            rows.append({"form": name, "threshold": threshold, "errors": rates, "moved": float(moved.max())})
    console.print(table)
    return rows


def race(forms: dict[str, Embed], chips: list[Pixels]) -> list[dict[str, object]]:
    """Faces a second, in turns: of one thread, and of two that run the same session."""
    table, rows = Table("", "batch", "threads", "of float32", "faces a second"), []
    for threads in (1, 2):
        for batch in BATCHES:
            measured: dict[str, list[float]] = {name: [] for name in forms}
            for _ in range(ROUNDS):
                for name, embed in forms.items():
                    measured[name].append(faces_a_second(embed, chips[:batch], threads))
            for name, rates in measured.items():
                pairs = zip(rates, measured["float32"], strict=True)
                ratio, speed = statistics.median(a / b for a, b in pairs), statistics.median(rates)
                table.add_row(name, f"{batch}", f"{threads}", f"{ratio:.2f}", f"{speed:.0f}")
                rows.append(
                    {"form": name, "batch": batch, "threads": threads, "ratio": ratio, "speed": speed}
                )
    console.print(table)
    return rows


def faces_a_second(embed: Embed, chips: Sequence[Pixels], threads: int) -> float:
    end, done = time.perf_counter() + SECONDS, []

    def go_on() -> None:
        while time.perf_counter() < end:
            embed(chips)
            done.append(len(chips))

    began = time.perf_counter()
    running = [threading.Thread(target=go_on) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return sum(done) / (time.perf_counter() - began)


def embedded(embed: Embed, chips: Sequence[Pixels]) -> Floats:
    return np.concatenate([np.array(embed(chips[at : at + 16])) for at in range(0, len(chips), 16)])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1])))
