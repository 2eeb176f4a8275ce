"""From the bytes of an image to what its faces are like."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from embedder.age import Age
from embedder.alignment import fit
from embedder.batcher import Answers
from embedder.detector import SIDE, Faces, Floats, Pixels
from embedder.finder import Finder, Found
from embedder.gender import Gender
from embedder.images import decode
from embedder.mask import Mask
from embedder.metrics import Metrics
from embedder.networks import Networks
from embedder.pack import Pack
from embedder.pool import Pool
from embedder.pose import Pose
from embedder.quality import Quality
from embedder.search import EVERY, Search, whole
from embedder.stage import Stage
from embedder.steps import AGE, GENDER, MASK, ORDER, RECOGNISER, Step

Out = TypeVar("Out")


class Analysis(NamedTuple):
    """An image and its n faces, the largest box first, in pixels of the upright image.

    Of chips and all that follows there are n, or none where it was not asked for or cannot be told.
    """

    width: int
    height: int
    faces: Faces  # without landmarks if the whole image was taken for a face
    chips: Sequence[Pixels]  # of the recogniser
    embeddings: Sequence[Floats]  # vectors of norm 1
    ages: Sequence[Age]
    genders: Sequence[Gender]
    masks: Sequence[Mask]
    poses: Sequence[Pose | None]
    qualities: Sequence[Quality]
    steps: Sequence[Step]  # those that were done, in their order


class Pipeline:
    """Analyses images: in threads up to the chips, and from there in batches with those of other calls.

    `work` must be run as often as each network may run at once.
    """

    def __init__(
        self,
        pack: Pack,
        networks: Networks,
        pool: Pool,
        metrics: Metrics,
        max_pixels: int,
        max_delay: float = 0.0,
    ) -> None:
        self.pack = pack
        self._detector = networks.detector
        self._finder = Finder(networks.detector, networks.aligner, pack.detection.min_score, max_pixels)
        self._recogniser = Stage(RECOGNISER, networks.recogniser, max_delay, metrics)
        self._age = Stage(AGE, networks.age, max_delay, metrics) if networks.age else None
        self._gender = Stage(GENDER, networks.gender, max_delay, metrics) if networks.gender else None
        self._mask = Stage(MASK, networks.mask, max_delay, metrics) if networks.mask else None
        self._pool = pool
        self._metrics = metrics
        self._max_pixels = max_pixels

    async def analyze(
        self,
        image: bytes,
        search: Search = EVERY,
        *,
        chips: bool = False,
        embeddings: bool = False,
        ages: bool = False,
        genders: bool = False,
        masks: bool = False,
        poses: bool = False,
        qualities: bool = False,
    ) -> Analysis:
        """The faces that `search` wants, with what is asked for of each and the pack can tell.

        Raises ImageUnreadable, ImageTooLarge and Overloaded.
        """
        recogniser = self._recogniser if embeddings else None
        age = self._age if ages else None
        gender = self._gender if genders else None
        mask = self._mask if masks and not search.whole_image else None  # it looks at what is around a face
        stages = _present(self._recogniser if chips or qualities else recogniser, age, gender, mask)
        asked = _present(recogniser, age, gender, mask)
        find = partial(self._finder.find, image, search, stages, poses, qualities)
        found, known = await self._pool.run(self._found, find, asked[0] if len(asked) == 1 else None)
        steps = list(found.steps)
        tasks = (
            asyncio.ensure_future(_answers(recogniser, found, steps, known)),
            asyncio.ensure_future(_answers(age, found, steps, known)),
            asyncio.ensure_future(_answers(gender, found, steps, known)),
            asyncio.ensure_future(_answers(mask, found, steps, known)),
        )
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # once one of them is refused, nobody waits for the others
                task.cancel()
        self._metrics.analysed(steps, len(found.faces.scores))
        return Analysis(
            found.width,
            found.height,
            found.faces,
            found.cuts[RECOGNISER].chips if chips and found.cuts else [],
            *answers,
            found.poses,
            found.qualities,
            sorted(steps, key=lambda step: ORDER.index(step.name)),
        )

    def _found(
        self, find: Callable[[], Found], stage: Stage[Any] | None
    ) -> tuple[Found, Answers[Any] | None]:
        """What is found, and what the only stage makes of it, which is done at once for a lone caller."""
        found = find()
        if not stage or stage.name not in found.cuts or not self._pool.lone:
            return found, None
        return found, stage.answer_at_once(found.cuts[stage.name].chips)

    async def embed(self, chips: Sequence[Pixels], line: Hashable) -> list[Floats]:
        """The embeddings of faces that have been cut out, (chip_size, chip_size, 3) each.

        Calls of one `line` wait behind each other, and lines take turns. Raises Overloaded.
        """
        answers = await self._recogniser.answer(chips, line)
        self._metrics.embedded(len(chips))
        return answers.results

    async def read_chip(self, file: bytes) -> Pixels:
        """A face that has been cut out, of an image file.

        Raises ImageUnreadable, ImageTooLarge, Overloaded.
        """
        return await self._pool.run(self._chip, file)

    def _chip(self, file: bytes) -> Pixels:
        return fit(decode(file, self._max_pixels).pixels, self.pack.chip_size)

    async def work(self) -> None:
        """Runs the networks on chips until cancelled."""
        async with asyncio.TaskGroup() as group:
            for stage in _present(self._recogniser, self._age, self._gender, self._mask):
                group.create_task(stage.work())

    async def warm_up(self) -> None:
        """Returns once every part has run: the first run of a network takes its time."""
        for image in (np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE * 3 // 4, 3), np.uint8)):
            await asyncio.to_thread(self._detector.find, image, self.pack.detection.min_score)
        face = whole(SIDE, SIDE)
        for stage in _present(self._recogniser, self._age, self._gender, self._mask):
            chips = stage.cut(image, face, face.landmarks)
            for size in stage.batches:
                await stage.answer(size * chips)


async def _answers(
    stage: Stage[Out] | None, found: Found, steps: list[Step], known: Answers[Out] | None
) -> list[Out]:
    """What a stage makes of the chips that were cut for it, which is a step; it may be known already."""
    if stage is None or stage.name not in found.cuts:
        return []
    cut = found.cuts[stage.name]
    answers = known or await stage.answer(cut.chips)
    steps.append(Step(stage.name, cut.seconds + answers.seconds))
    return answers.results


def _present(*stages: Stage[Any] | None) -> list[Stage[Any]]:
    return [stage for stage in stages if stage]
