"""Measures what embedder/conversion/dlib_ranges.toml says: python -m bench.ranges FOLDER

The folder is as bench/faces.py wants it. Every other person's faces are measured, as they are and worse; the
others' are left for bench.precision, to look whether the ranges hold for people who had no part in them.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from bench.disturbances import DISTURBANCES
from bench.faces import Face, read_faces
from bench.pipeline import open_pipeline
from embedder.conversion.ranges import Range
from embedder.detector import Pixels
from embedder.fetching.cache import default_cache
from embedder.pack import DEFAULT, read_pack
from embedder.preparation import prepare
from embedder.session import Session

FILE = Path(__file__).parents[1] / "embedder/conversion/dlib_ranges.toml"
SHOWN = ("as it is", "mirrored", "dark (x 0.3)", "noisy")

# The first convolutions see light: in the dark their numbers are small, and rounding them would cost most of
# what can be lost. They stay in single precision, for a tenth of the speed.
SPARED = 5
# What the last ones answer to differs from person to person: somebody who was not measured may go far beyond.
LAST = 21
ROOM = 2.0  # so their ranges are so many times what was measured

HEAD = """\
# Between which numbers the tensors of dlib's recogniser lie, once converted (dlib_onnx.py), where a
# convolution is to compute with 8-bit integers. Measured, and widened where people differ, by
# `python -m bench.ranges FOLDER`, on {faces} faces of {people} people.

"""


class Tensor(NamedTuple):
    name: str
    room: float  # how much wider than measured its range is to be


async def main(folder: Path) -> None:
    async with open_pipeline() as pipeline:
        faces, _ = halves(await read_faces(pipeline, folder))
    network = prepare(read_pack(DEFAULT), default_cache())["recogniser"]
    tensors = wanted(onnx.load(network))
    chips = [DISTURBANCES[name](face.chip) for name in SHOWN for face in faces]
    measured = measure(network, [each.name for each in tensors], chips)
    lines = [
        f"{each.name} = [{low * each.room:.4g}, {high * each.room:.4g}]"
        for each, (low, high) in zip(tensors, measured, strict=True)
    ]
    people = len({face.person for face in faces})
    FILE.write_text(HEAD.format(faces=len(faces), people=people) + "\n".join(lines) + "\n")
    print(f"wrote {len(lines)} ranges to {FILE}")


def halves(faces: list[Face]) -> tuple[list[Face], list[Face]]:
    """Those to measure and those to check: nobody, and no photograph of strangers, is in both."""
    measured = set(sorted({face.owner for face in faces})[::2])
    inside, outside = [], []
    for face in faces:
        (inside if face.owner in measured else outside).append(face)
    return inside, outside


def wanted(model: onnx.ModelProto) -> list[Tensor]:
    """What each convolution that is not spared takes and makes, each once."""
    nodes = model.graph.node
    relus = {node.input[0]: node.output[0] for node in nodes if node.op_type == "Relu"}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    rooms: dict[str, float] = {}
    for number, node in enumerate(convolutions[SPARED:], SPARED):
        for name in (node.input[0], relus.get(node.output[0], node.output[0])):
            rooms[name] = ROOM if number >= LAST else 1.0
    return [Tensor(*each) for each in rooms.items()]


def measure(network: Path, names: list[str], chips: list[Pixels]) -> list[Range]:
    """Between which numbers each tensor lies, for all of the chips."""
    model = onnx.load(network)
    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    with TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "open.onnx")
        session = Session(Path(folder) / "open.onnx", names)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for chip in chips:
        values = session.run(chip[None])
        low = np.minimum(low, [each.min() for each in values])
        high = np.maximum(high, [each.max() for each in values])
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1])))
