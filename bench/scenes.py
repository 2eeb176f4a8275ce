"""Photographs of groups in which every face is annotated, and what is made of them."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np

from embedder.detector import Floats, Pixels
from embedder.images import decode

WIDE = 0.1  # of an annotated box: how far beyond it the middle of the found one may lie
WIDTHS = (24, 20, 16)  # pixels: to which the median face of a photograph is brought


class Scene(NamedTuple):
    pixels: Pixels
    boxes: Floats  # (n, 4): left, top, width, height of every face


def read_scenes(folder: Path) -> dict[str, list[Scene]]:
    """By what was done to them, the photographs that `groups/boxes-*.xml` of the folder annotates."""
    plain = [
        Scene(opened(folder / "groups" / str(image.get("file"))), _boxes(image))
        for file in sorted((folder / "groups").glob("boxes-*.xml"))
        for image in ElementTree.parse(file).getroot().iter("image")
    ]
    shrunk = {f"{width} px": [_shrunk(scene, width) for scene in plain] for width in WIDTHS}
    tiles = {
        "2 x 2": [_tiled(plain[at : at + 4], 2) for at in range(0, len(plain) - 3, 4)],
        "3 x 3": [_tiled(plain[:9], 3)],
    }
    return {"as they are": plain, **shrunk, **tiles}


def opened(path: Path) -> Pixels:
    return decode(path.read_bytes(), 50_000_000).pixels


def resized(pixels: Pixels, scale: float) -> Pixels:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return cv2.resize(pixels, size, interpolation=how)  # type: ignore[return-value]


def hits(found: Floats, boxes: Floats) -> int:
    """How many annotated boxes have the middle of a found one, each of which counts once."""
    middles = found[:, :2] + found[:, 2:] / 2
    used: set[int] = set()
    for left, top, width, height in boxes:
        away = np.abs(middles - [left + width / 2, top + height / 2]) / [width, height]
        inside = [i for i in np.flatnonzero((away < 0.5 + WIDE).all(1)) if i not in used]
        if inside:
            used.add(min(inside, key=lambda i: float(away[i].sum())))
    return len(used)


def _boxes(image: ElementTree.Element) -> Floats:
    sides = ("left", "top", "width", "height")
    return np.array([[float(box.attrib[side]) for side in sides] for box in image.iter("box")], np.float32)


def _shrunk(scene: Scene, width: int) -> Scene:
    scale = width / float(np.median(scene.boxes[:, 2]))
    return Scene(resized(scene.pixels, scale), scene.boxes * np.float32(scale))


def _tiled(scenes: list[Scene], columns: int) -> Scene:
    """One large photograph of several."""
    rows, across = (max(scene.pixels.shape[axis] for scene in scenes) for axis in (0, 1))
    canvas = np.zeros((rows * -(-len(scenes) // columns), across * columns, 3), np.uint8)
    boxes = []
    for i, scene in enumerate(scenes):
        top, left = i // columns * rows, i % columns * across
        canvas[top : top + scene.pixels.shape[0], left : left + scene.pixels.shape[1]] = scene.pixels
        boxes.append(scene.boxes + np.array([left, top, 0, 0], np.float32))
    return Scene(canvas, np.concatenate(boxes))
