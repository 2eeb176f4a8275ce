"""Compares detectors: python -m bench.detection FOLDER

Prints how much each finds, how well it places landmarks, and what it takes. docs/detection.md says what it
all means, bench/faces.py what has to be in the folder; its `groups` need boxes-*.xml and dogs.jpg too.
"""

import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.candidates import BEFORE, SHIPPED, Candidate, candidates
from bench.faces import Face, read_faces
from bench.pipeline import open_pipeline
from bench.placing import Reference
from bench.recall import Photographs, found
from bench.scenes import opened
from bench.verification import Looked, judged, placed
from embedder.alignment import align
from embedder.detector import Faces, Pixels
from embedder.fetching.cache import default_cache
from embedder.pack import read_pack
from embedder.preparation import prepare
from embedder.recogniser import Recogniser
from embedder.samples import photographs as samples
from embedder.session import Session

ROUNDS = 20
CROWD = "groups/bbt4.jpg"  # six faces

console = Console(width=200)


async def main(folder: Path) -> None:
    cv2.setNumThreads(1)
    pack = read_pack("open")
    networks = prepare(pack, default_cache())
    recogniser = Recogniser(Session(networks["recogniser"]))
    async with open_pipeline() as pipeline:
        faces = await read_faces(pipeline, folder)
    with TemporaryDirectory() as place:
        compared = candidates(networks, folder, Path(place))
        rows = {name: {"ms": cell} for name, cell in timings(compared, folder).items()}
        photographs, looked = references(compared[SHIPPED], Reference(networks["centerface"]), faces, folder)
        before = placed(compared[BEFORE], looked, recogniser)
        others = {"reference": np.array(recogniser.embed([_chip(each, compared[BEFORE]) for each in looked]))}
        others[BEFORE] = before.embeddings
        for name, candidate in compared.items():
            rows[name] |= found(candidate, photographs)
            own = placed(candidate, looked, recogniser)
            rows[name] |= judged(own, looked, others, pack.calibration.threshold)
    report(rows)


def timings(compared: dict[str, Candidate], folder: Path) -> dict[str, str]:
    """Milliseconds for one face and for six, and how often as quick as BEFORE: medians over rounds."""
    crowd = opened(folder / CROWD)
    alone = opened(samples(default_cache())["obama"])
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in compared}
    for _ in range(ROUNDS):
        for name, candidate in compared.items():
            took[name].append((_time(candidate, alone), _time(candidate, crowd)))
    table = {name: np.array(each[1:]) for name, each in took.items()}  # the first was to get warm
    cells = {}
    for name, each in table.items():
        (one, six), ratio = np.median(each, 0), np.median(table[BEFORE] / each, 0)
        cells[name] = f"{one:.1f} ({ratio[0]:.1f}x), {six:.1f} ({ratio[1]:.1f}x)"
    return cells


def _time(candidate: Candidate, pixels: Pixels) -> float:
    began = time.thread_time()
    candidate.detector.find(pixels, candidate.min_score)
    return 1000 * (time.thread_time() - began)


def references(
    shipped: Candidate, reference: Reference, faces: list[Face], folder: Path
) -> tuple[Photographs, list[Looked]]:
    """The photographs of `faces`, which the shipped detector found, and where those are by many looks."""
    portraits: list[tuple[Pixels, Faces]] = []
    groups: list[tuple[Pixels, Faces]] = []
    looked: list[Looked] = []
    for name in dict.fromkeys(face.photograph for face in faces):
        own = [face for face in faces if face.photograph == name]
        pixels = opened(folder / ("groups" if own[0].group else "people") / name)
        seen = shipped.detector.find(pixels, shipped.min_score)
        order = np.argsort(seen.boxes[:, 0])[: len(own)] if own[0].group else [0]  # as read_faces has them
        (groups if own[0].group else portraits).append((pixels, seen))
        marks = reference.landmarks(pixels, seen)[order]
        looked += [Looked(face, pixels, each) for face, each in zip(own, marks, strict=True)]
    return Photographs(folder, portraits, groups), looked


def _chip(each: Looked, candidate: Candidate) -> Pixels:
    return align(each.pixels, each.landmarks, candidate.template, each.face.chip.shape[0])


def report(rows: dict[str, dict[str, str]]) -> None:
    columns = next(iter(rows.values()))
    for start in range(0, len(columns), 8):
        table = Table("", *list(columns)[start : start + 8])
        for name, cells in rows.items():
            table.add_row(name, *list(cells.values())[start : start + 8])
        console.print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1])))
