"""YuNet finds faces; CenterFace looks closely at each, confirms it, and places the landmarks.

docs/detection.md says what this is worth.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from embedder.alignment import align, similarity
from embedder.centerface import CenterFace
from embedder.detector import SIDE, Faces, Pixels, separate, to_canvas
from embedder.device import CPU, Device
from embedder.template import squares
from embedder.yunet import YuNet

# Pixels: first the larger canvas. The other one is for faces that fill the image, or more than that.
SIDES = (SIDE, SIDE // 4)
REGION = 128  # pixels: width and height of what CenterFace sees of a face
MARGIN = 1.25  # width of that, in longer sides of the face's box
NEAR = 0.15  # of the region: how far from its middle may be the face that is looked for
BATCH = 16  # regions looked at at once
MOST = 300  # faces looked at, those that YuNet is surest of

# (4, 2): the corners of a region in its pixels, as `squares` has those of boxes.
CORNERS = np.array([[0, 0], [REGION, 0], [0, REGION], [REGION, REGION]], np.float64)


class Refined:
    """A Detector. The boxes are YuNet's, the landmarks CenterFace's, and the score is the lower of both."""

    close = REGION / MARGIN

    def __init__(
        self, yunet: Path, centerface: Path, sides: Sequence[int] = SIDES, *, device: Device = CPU
    ) -> None:
        self._finders = [YuNet(yunet, side, device=device) for side in sides]
        self._placer = CenterFace(centerface, device=device)
        self._helper = ThreadPoolExecutor(1, "detector")  # looks at smaller canvases meanwhile
        # The first run of a network takes its time, and would come with the first face only.
        self._placer.look(np.zeros((1, 3, REGION, REGION), np.float32), 1.0)

    def find(self, pixels: Pixels, min_score: float) -> Faces:
        return self.confirm(pixels, self.seek(pixels, min_score), min_score)

    def seek(self, pixels: Pixels, min_score: float) -> Faces:
        found = separate(_joined(self._found(pixels, min_score)))
        surest = np.sort(np.argsort(-found.scores)[:MOST])  # and still the largest box first
        return Faces(*(each[surest] for each in found))

    def confirm(self, pixels: Pixels, sought: Faces, min_score: float) -> Faces:
        looks = [
            self._look(pixels, Faces(*(each[start : start + BATCH] for each in sought)), min_score)
            for start in range(0, len(sought.scores), BATCH)
        ]
        return _joined(looks) if looks else sought

    def _found(self, pixels: Pixels, min_score: float) -> list[Faces]:
        largest, *others = self._finders
        canvas = to_canvas(pixels, largest.side)

        def look(finder: YuNet) -> Faces:
            return finder.look(canvas.smaller(finder.side), min_score)

        looks = [self._helper.submit(look, finder) for finder in others]
        found = [largest.look(canvas, min_score)]
        # What the helper has not begun by now, since other images keep it busy, is done here.
        return found + [
            look(finder) if begun.cancel() else begun.result()
            for finder, begun in zip(others, looks, strict=True)
        ]

    def _look(self, pixels: Pixels, found: Faces, min_score: float) -> Faces:
        """Those of at most BATCH faces that CenterFace sees as well."""
        reach = (MARGIN - 1) / 2 * found.boxes[:, 2:].max(1, keepdims=True)
        regions = squares(found.boxes + reach * [[-1, -1, 2, 2]])
        images = [align(pixels, each, CORNERS, REGION) for each in regions]
        kept, landmarks, scores = [], [], []
        for face, seen in enumerate(self._placer.look(cv2.dnn.blobFromImages(images), min_score)):
            away = seen.boxes[:, :2] + seen.boxes[:, 2:] / 2 - REGION / 2
            (near,) = np.nonzero(np.hypot(*away.T) < NEAR * REGION)
            if len(near):
                best = near[seen.scores[near].argmax()]
                matrix = similarity(CORNERS, regions[face].astype(np.float64))
                kept.append(face)
                landmarks.append(seen.landmarks[best] @ matrix[:, :2].T + matrix[:, 2])
                scores.append(min(seen.scores[best], found.scores[face]))
        return Faces(
            found.boxes[kept],
            np.array(landmarks, np.float32).reshape(-1, 5, 2),
            np.array(scores, np.float32),
        )


def _joined(parts: list[Faces]) -> Faces:
    return Faces(*(np.concatenate(each) for each in zip(*parts, strict=True)))
