"""Finds the faces of an image and cuts them out: what a single thread does of an analysis."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from embedder.aligner import Aligner
from embedder.detector import LEAST, SIDE, Detector, Faces, Pixels
from embedder.images import Image, decode
from embedder.pose import Pose, to_pose
from embedder.quality import Quality, to_quality
from embedder.search import Search, chosen, whole
from embedder.stage import Stage
from embedder.steps import ALIGNER, DETECTOR, POSE, QUALITY, RECOGNISER, Step, timed

# Pixels of a face's box, in those of its chips: the box is 0.9 to 1.3 times a chip of `open`, on 194 faces.
# Embeddings of so few agree with those of all pixels by a cosine of 0.9992 in the mean, of twice as many
# by 0.9996: so much comes of the landmarks.
ENOUGH = 0.8


class Cut(NamedTuple):
    """The chips of an image's faces for one stage."""

    chips: list[Pixels]  # of each face; none only if there is no face
    seconds: float  # of work on them


class Found(NamedTuple):
    """An image and its n faces, the largest box first, in pixels of the upright image."""

    width: int
    height: int
    faces: Faces
    poses: list[Pose | None]  # n, or none
    qualities: list[Quality]  # n, or none
    cuts: dict[str, Cut]  # by the names of the stages
    steps: list[Step]  # those that were done


class Finder:
    """Looks for faces with `detector`, which score `min_score` unless a search says otherwise."""

    def __init__(
        self, detector: Detector, aligner: Aligner | None, min_score: float, max_pixels: int
    ) -> None:
        self._detector = detector
        self._aligner = aligner
        self._min_score = min_score
        self._max_pixels = max_pixels

    def find(
        self, data: bytes, search: Search, stages: Sequence[Stage[Any]], poses: bool, qualities: bool
    ) -> Found:
        """The faces that `search` wants in the image file `data`, cut out for each of `stages`.

        Qualities need what is cut out for the recogniser. Raises ImageUnreadable and ImageTooLarge.
        """
        image, faces, steps = self._faces(data, search, stages)
        faces = chosen(faces, search)
        here = faces.doubled(-image.halvings)  # in its pixels
        points = here.landmarks
        if self._aligner and len(points) and any(stage.by_points for stage in stages):
            points, seconds = timed(self._aligner.points, image.pixels, points)
            steps.append(Step(ALIGNER, seconds))
        cuts = {}
        for stage in stages if len(faces.scores) else []:
            cuts[stage.name] = Cut(*timed(stage.cut, image.pixels, here, points))
        turned: list[Pose | None] = []
        if poses and len(faces.landmarks):
            turned, seconds = timed(_poses, image, faces)
            steps.append(Step(POSE, seconds))
        good: list[Quality] = []
        if qualities and cuts:
            good, seconds = timed(_qualities, image, faces, cuts[RECOGNISER].chips)
            steps.append(Step(QUALITY, seconds))
        return Found(image.width, image.height, faces, turned, good, cuts, steps)

    def _faces(
        self, data: bytes, search: Search, stages: Sequence[Stage[Any]]
    ) -> tuple[Image, Faces, list[Step]]:
        """The image, with as many pixels as are of use, and its faces in pixels of the file."""
        if search.whole_image:
            image = decode(data, self._max_pixels)
            return image, whole(image.width, image.height), []
        least = self._min_score if search.min_score is None else max(LEAST, search.min_score)
        image = decode(data, self._max_pixels, SIDE)
        sought, seeking = timed(self._detector.seek, image.pixels, least)
        if times := min(image.halvings, self._too_small(sought, stages)):
            image = decode(data, self._max_pixels, max(image.width, image.height) >> image.halvings - times)
            sought = sought.doubled(times)
        faces, confirming = timed(self._detector.confirm, image.pixels, sought, least)
        return image, faces.doubled(image.halvings), [Step(DETECTOR, seeking + confirming)]

    def _too_small(self, faces: Faces, stages: Sequence[Stage[Any]]) -> int:
        """How often the smallest of the faces must be doubled to have enough pixels for what looks at it."""
        close = max([self._detector.close, *(ENOUGH * stage.chip_size for stage in stages)])
        smallest = float(faces.boxes[:, 2:].max(1, initial=1).min(initial=close))
        return math.ceil(max(0.0, math.log2(close / smallest))) if smallest else 0


def _qualities(image: Image, faces: Faces, chips: list[Pixels]) -> list[Quality]:
    side = min(image.width, image.height)
    if not len(faces.landmarks):
        return [to_quality(chip, None, None, side) for chip in chips]
    seen = zip(chips, faces.landmarks, _poses(image, faces), strict=True)
    return [to_quality(chip, landmarks, pose, side) for chip, landmarks, pose in seen]


def _poses(image: Image, faces: Faces) -> list[Pose | None]:
    return [to_pose(each, image.width, image.height) for each in faces.landmarks]
