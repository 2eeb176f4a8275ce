"""Reads a shape predictor that dlib has serialised (dlib/image_processing/shape_predictor.h says how)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedder.conversion.dlib_format import File
from embedder.predictor import DEPTH

# Nodes of a tree that ask, and leaves: what all of our predictor's trees have.
SPLITS, LEAVES = 2**DEPTH - 1, 2**DEPTH


def convert(source: Path, target: Path) -> None:
    """Writes the predictor as arrays, for embedder.predictor. Raises ValueError if it is not one."""
    with target.open("wb") as file:  # by its name savez would add another ending
        np.savez(file, **read(source.read_bytes()))  # type: ignore[arg-type]


def read(data: bytes) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that embedder.predictor takes."""
    file = File(data)
    file.expect(1)
    shape = _matrix(file)
    stages = []
    for _ in range(file.integer()):
        trees = [_tree(file) for _ in range(file.integer())]
        stages.append([np.stack(part) for part in zip(*trees, strict=True)])
    anchors = [[file.integer() for _ in range(file.integer())] for _ in range(file.integer())]
    deltas = [[(file.number(), file.number()) for _ in range(file.integer())] for _ in range(file.integer())]
    if file.at != len(data):
        raise ValueError(f"{len(data) - file.at} bytes are left over")
    first, second, thresholds, leaves = (np.stack(part) for part in zip(*stages, strict=True))
    return {
        "shape": shape.reshape(-1, 2),
        "first": first,
        "second": second,
        "thresholds": thresholds,
        "leaves": leaves.reshape(*leaves.shape[:3], -1, 2),
        "anchors": np.array(anchors, np.intp),
        "deltas": np.array(deltas, np.float32),
    }


def _tree(file: File) -> list[npt.NDArray[np.generic]]:
    """What the nodes compare, with what, and the leaves."""
    splits = [(file.integer(), file.integer(), file.number()) for _ in range(file.integer())]
    leaves = [_matrix(file) for _ in range(file.integer())]
    if (len(splits), len(leaves)) != (SPLITS, LEAVES):
        raise ValueError("a tree is of another depth")
    first, second, thresholds = zip(*splits, strict=True)
    return [
        np.array(first, np.int32),
        np.array(second, np.int32),
        np.array(thresholds, np.float32),
        np.stack(leaves),
    ]


def _matrix(file: File) -> npt.NDArray[np.float32]:
    rows, columns = -file.integer(), -file.integer()  # negative, to tell it from an older format
    return np.array([file.number() for _ in range(rows * columns)], np.float32)
