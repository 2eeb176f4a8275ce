"""Calibrates a model pack: python -m bench.calibrate FOLDER [PACK]

Prints the coefficients that a folder of photographs asks for, how firmly, and how often the pack errs with
those that it has; draws docs/similarity.svg of `open`, which is the pack if none is named. docs/similarity.md
says what it all means, bench/faces.py what has to be in the folder.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.drawing import draw
from bench.faces import Face, read_faces
from bench.pairs import compare
from bench.pipeline import open_pipeline
from bench.report import console, report_errors, report_faces, report_fit, report_search
from embedder.fetching.cache import default_cache
from embedder.pack import DEFAULT, Pack
from embedder.preparation import prepare
from embedder.session import Session

DRAWING = Path(__file__).parents[1] / "docs/similarity.svg"


async def main(folder: Path, name: str = DEFAULT) -> None:
    async with open_pipeline(name) as pipeline:
        faces, pack = await read_faces(pipeline, folder), pipeline.pack
    pairs = compare(faces, np.array([face.embedding for face in faces]))
    report_faces(faces)
    report_fit(pairs)
    shipped = name == DEFAULT
    report_errors(pairs, pack.calibration, compare(faces, as_made(faces, pack)) if shipped else None)
    report_search(faces, pack.calibration)
    if shipped:
        DRAWING.write_text(draw(pairs, pack.calibration, pack.name))
        console.print(f"drew {DRAWING}")


def as_made(faces: list[Face], pack: Pack) -> NDArray[np.float32]:
    """The vectors as the network makes them, before they are brought to norm 1."""
    session = Session(prepare(pack, default_cache())["recogniser"])
    return np.concatenate([session.run(face.chip[None])[0] for face in faces])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
