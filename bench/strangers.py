"""Measures decisions: python -m bench.strangers FOLDER [PACK]

Prints the curve of strangers that a folder of photographs gives (the table `strangers` of a pack file), and
what docs/strangers.md reports: how many strangers are taken for somebody beside the rate that was stated,
on other people than those it was calibrated on, and how many of the enrolled are found. Of photographs, which
are too few for a rate of 1 in 1000 in a large gallery, and of people who do not exist and are spread alike.
Ten minutes, on two cores.
"""

import asyncio
import sys
from pathlib import Path

from bench.crowds import crowd
from bench.faces import read_faces
from bench.open_set import People, tail_of
from bench.pipeline import open_pipeline
from bench.population import Population
from bench.report import console, report_faces
from bench.results import write
from bench.strangers_report import (
    report_crowds,
    report_genuine,
    report_likeness,
    report_odds,
    report_splits,
    report_thresholds,
)
from classifier.faces import Model
from embedder.pack import DEFAULT

# People, faces of each, galleries, and the share of the people who have a second name.
CROWDS = (
    (50, 1, 12, 0.0),
    (200, 1, 12, 0.0),
    (200, 3, 12, 0.0),
    (1000, 2, 8, 0.0),
    (1000, 2, 8, 0.005),
    (10_000, 1, 4, 0.0),
    (10_000, 1, 4, 0.005),
)


async def main(folder: Path, name: str = DEFAULT) -> None:
    async with open_pipeline(name) as pipeline:
        faces, pack = await read_faces(pipeline, folder), pipeline.pack
    strangers = [face for face in faces if not face.known]
    tail = tail_of(People.of(strangers))
    model = Model(pack.name, pack.dimension, pack.chip_size, *pack.calibration, tail)
    report_faces(faces)
    console.print(*(f"{name} = {value:.4g}" for name, value in tail._asdict().items()))
    report_thresholds(tail)
    report_splits(strangers)
    report_genuine(faces, model)
    report_likeness(faces)
    report_odds(faces, model)
    for people, each, galleries, twice in CROWDS:
        seen = [
            await asyncio.to_thread(crowd, Population(faces, seed), model, (people, each), twice)
            for seed in range(galleries)
        ]
        report_crowds(f"{people} people, {each} of each, {twice:.1%} with a second name", seen)
        told = [{key: column.tolist() for key, column in each._asdict().items()} for each in seen]
        write(f"strangers-{people}-{each}-{twice}", galleries=told)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
