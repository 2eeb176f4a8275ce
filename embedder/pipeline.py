"""From the bytes of an image to what its faces are like."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from embedder.alignment import align
from embedder.batcher import Batcher
from embedder.detector import SIDE, Detector, Faces, Floats, Pixels
from embedder.images import decode
from embedder.pack import Pack
from embedder.pool import Pool

BATCH = 16  # chips to a batch, at most; larger ones bring no more on a CPU
CHIPS = 512  # chips that may wait for the recogniser


class Analysis(NamedTuple):
    """An image and its n faces, the largest box first, in pixels of the upright image."""

    width: int
    height: int
    faces: Faces
    chips: Sequence[Pixels]  # n, or none if neither they nor embeddings were asked for
    embeddings: Sequence[Floats]  # n vectors of norm 1, or none if they were not asked for


class Pipeline:
    """Analyses images: in threads up to the chip, and from there in batches with those of other calls.

    `embed` makes (n, dimension) unit rows of n chips; `work` must be run as often as it may run at once.
    """

    def __init__(
        self,
        pack: Pack,
        detector: Detector,
        embed: Callable[[Sequence[Pixels]], Floats],
        pool: Pool,
        max_pixels: int,
    ) -> None:
        self.pack = pack
        self._detector = detector
        self._embed = embed
        self._pool = pool
        self._max_pixels = max_pixels
        self._batcher: Batcher[Pixels, Floats] = Batcher(max_size=BATCH, max_waiting=CHIPS)

    async def analyze(
        self,
        image: bytes,
        *,
        min_score: float | None = None,
        max_faces: int | None = None,
        chips: bool = False,
        embeddings: bool = False,
    ) -> Analysis:
        """The faces that score `min_score` or more (None: as the pack says), `max_faces` at most.

        Raises ImageUnreadable, ImageTooLarge and Overloaded.
        """
        least = self.pack.detection.min_score if min_score is None else min_score
        found = await self._pool.run(self._look, image, least, max_faces, chips or embeddings)
        if not embeddings or not found.chips:
            return found
        return found._replace(embeddings=await self._batcher.submit(found.chips))

    async def work(self) -> None:
        """Embeds chips until cancelled."""
        await self._batcher.work(lambda chips: list(self._embed(chips)))

    async def warm_up(self) -> None:
        """Returns once every part has run: the first run of a network takes its time."""
        for image in (np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE * 3 // 4, 3), np.uint8)):
            await asyncio.to_thread(self._detector.find, image, self.pack.detection.min_score)
        await self._batcher.submit([image[: self.pack.chip_size, : self.pack.chip_size]])

    def _look(self, data: bytes, min_score: float, max_faces: int | None, cut_out: bool) -> Analysis:
        image = decode(data, self._max_pixels)
        found = self._detector.find(image.pixels, min_score)
        faces = Faces(*(each[:max_faces] for each in found))
        template, size = self.pack.detection.template, self.pack.chip_size
        chips = [align(image.pixels, points, template, size) for points in faces.landmarks] if cut_out else []
        to_file = np.float32(image.width / image.pixels.shape[1])
        faces = Faces(faces.boxes * to_file, faces.landmarks * to_file, faces.scores)
        return Analysis(image.width, image.height, faces, chips, [])
