"""The faces of a folder of photographs, and whose they are.

The folder holds `people/NAME/*`, photographs of one person each, and `groups/*.jpg`. Who is in a group
photograph says photographs.toml, or else they are strangers, and none of them is in two photographs.
"""

import tomllib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from embedder.detector import Floats, Pixels
from embedder.pipeline import Analysis, Pipeline

# Two aligned faces of a person that correlate by more are one picture, published twice. In our folder the
# copies have 0.98 to 1.00; what comes next, photographs taken moments apart, has 0.91.
SAME_PICTURE = 0.95


class Face(NamedTuple):
    person: str  # a stranger's name is the photograph's, and a number
    photograph: str
    group: bool  # the photograph is one of a group
    known: bool  # no stranger
    chip: Pixels
    embedding: Floats  # norm 1

    @property
    def owner(self) -> str:
        """Whom chance chose together with this face: a person, or the strangers of one photograph."""
        return self.person if self.known else self.photograph


async def read_faces(pipeline: Pipeline, folder: Path) -> list[Face]:
    """Every face, found as in service; of one picture published twice only the first."""
    told = tomllib.loads(Path(__file__).with_name("photographs.toml").read_text())
    faces: list[Face] = []
    for path in sorted((folder / "people").glob("*/*")):
        analysis = await pipeline.analyze(path.read_bytes(), chips=True, embeddings=True)
        for chip, embedding in list(zip(analysis.chips, analysis.embeddings, strict=True))[:1]:  # the largest
            face = Face(path.parent.name, f"{path.parent.name}/{path.name}", False, True, chip, embedding)
            faces += [] if _seen(face, faces) else [face]
    for path in sorted((folder / "groups").glob("*.jpg")):
        if path.name not in told["left_out"]:
            analysis = await pipeline.analyze(path.read_bytes(), chips=True, embeddings=True)
            faces += _group(path, analysis, told["known"].get(path.name))
    return faces


def _group(path: Path, analysis: Analysis, names: list[str] | None) -> list[Face]:
    order = np.argsort([box[0] for box in analysis.faces.boxes])  # from left to right
    people = names or [f"{path.name} {i}" for i in range(len(order))]
    return [
        Face(person, path.name, True, bool(names), analysis.chips[i], analysis.embeddings[i])
        for person, i in zip(people, order, strict=True)
    ]


def _seen(face: Face, before: list[Face]) -> bool:
    looks = _look(face.chip)
    return any(face.person == other.person and looks @ _look(other.chip) > SAME_PICTURE for other in before)


def _look(chip: Pixels) -> Floats:
    """A vector of norm 1: the dot product of two is the correlation of the chips, grey and coarse."""
    grey = cv2.resize(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), (37, 37), interpolation=cv2.INTER_AREA)
    centred: Floats = grey.ravel() - grey.mean(dtype=np.float32)
    return centred / np.linalg.norm(centred)
