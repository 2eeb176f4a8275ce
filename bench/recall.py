"""What a detector finds, and what it takes for a face."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from bench.candidates import Candidate
from bench.scenes import hits, opened, read_scenes, resized
from embedder.detector import Faces, Floats, Pixels

FRAMES = {"all of the face": 1.0, "a tenth cut off all around": 0.8}  # how much of the box is in the image
WIDTHS = (320, 1000, 4000)  # pixels along the longer side of an image that a face fills
TURNS = (30, 60)  # degrees
ENOUGH = 40  # faces that are turned, and portraits that are enlarged to WIDTHS[-1], every few of them


class Photographs(NamedTuple):
    """What is looked at; where the faces are in portraits and groups says a reference."""

    folder: Path
    portraits: list[tuple[Pixels, Faces]]
    groups: list[tuple[Pixels, Faces]]


def found(candidate: Candidate, photographs: Photographs) -> dict[str, str]:
    """How many faces it finds, of how many, and how many more: annotated photographs, dogs, portraits."""
    cells = {}
    for name, scenes in read_scenes(photographs.folder).items():
        looks = [_find(candidate, scene.pixels).boxes for scene in scenes]
        right = sum(hits(look, scene.boxes) for look, scene in zip(looks, scenes, strict=True))
        cells[name] = f"{right}/{sum(len(scene.boxes) for scene in scenes)} +{sum(map(len, looks)) - right}"
    dogs = _find(candidate, opened(photographs.folder / "groups/dogs.jpg"))
    return {
        **cells,
        "dogs": f"+{len(dogs.scores)}",
        **_framed(candidate, photographs),
        **_turned(candidate, photographs),
    }


def _framed(candidate: Candidate, photographs: Photographs) -> dict[str, str]:
    """Of portraits, cut to what is in the box of the face and enlarged."""
    cells = {}
    for name, share in FRAMES.items():
        for width in WIDTHS:
            chosen = photographs.portraits[:: 1 if width < WIDTHS[-1] else 6]
            seen = [_find(candidate, _cut(pixels, faces.boxes[0], share, width)) for pixels, faces in chosen]
            cells[f"{name}, {width}"] = f"{sum(len(each.scores) > 0 for each in seen)}/{len(chosen)}"
    return cells


def _cut(pixels: Pixels, box: Floats, share: float, width: int) -> Pixels:
    middle, reach = box[:2] + box[2:] / 2, box[2:] / 2 * share
    low = np.maximum(middle - reach, 0).astype(int)
    high = (middle + reach).astype(int)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    return resized(part, width / max(part.shape[:2]))


def _turned(candidate: Candidate, photographs: Photographs) -> dict[str, str]:
    faces = [(pixels, each) for pixels, faces in photographs.groups for each in faces.landmarks][::3][:ENOUGH]
    cells = {}
    for degrees in TURNS:
        seen = 0
        for pixels, landmarks in faces:
            middle = landmarks.mean(0)
            matrix = cv2.getRotationMatrix2D(middle.tolist(), degrees, 1)
            matrix[:, 2] += 250 - middle  # the face comes to the middle of 500 x 500 pixels
            image: Pixels = cv2.warpAffine(pixels, matrix, (500, 500))  # type: ignore[assignment]
            away = _find(candidate, image).landmarks.mean(1) - 250
            seen += bool((np.hypot(*away.T) < np.hypot(*(landmarks[0] - landmarks[1])) / 2).any())
        cells[f"turned by {degrees}"] = f"{seen}/{len(faces)}"
    return cells


def _find(candidate: Candidate, pixels: Pixels) -> Faces:
    return candidate.detector.find(pixels, candidate.min_score)
