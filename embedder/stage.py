"""A network at work on the chips of all callers: how they are cut for it, and where they wait."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from embedder.alignment import align, fit
from embedder.batcher import Answers, Batcher
from embedder.chips import By
from embedder.detector import Faces, Floats, Pixels
from embedder.metrics import Metrics
from embedder.networks import Reader
from embedder.template import squares

Out = TypeVar("Out")

CHIPS = 1024  # chips that may wait: some 70 MB of the recogniser's, 150 of those for masks


class Stage(Generic[Out]):
    """The step `name` of analyses. `work` must be run as often as it may run at once."""

    def __init__(self, name: str, reader: Reader[Out], max_delay: float, metrics: Metrics) -> None:
        self.name = name
        self.chip_size = reader.chip_size
        self.batches = reader.batches
        self._reader = reader
        self._batcher: Batcher[Pixels, Out] = Batcher(
            metrics.queue(name), max_size=reader.batches[-1], max_waiting=CHIPS, max_delay=max_delay
        )

    @property
    def by_points(self) -> bool:
        """Whether faces are cut by the points that an aligner places."""
        return self._reader.by is By.POINTS

    def cut(self, pixels: Pixels, faces: Faces, points: Floats) -> list[Pixels]:
        """A chip for each face; of an image that was taken for one, and has no landmarks, all of it.

        `points`, (n, 5, 2), are those of an aligner, if the network wants them.
        """
        reader = self._reader
        if not len(faces.landmarks):
            return [fit(pixels, reader.chip_size)]
        match reader.by:
            case By.BOX:
                points = squares(faces.boxes)
            case By.LANDMARKS:
                points = faces.landmarks
        return [align(pixels, each, reader.template, reader.chip_size) for each in points]

    async def answer(self, chips: Sequence[Pixels], line: Hashable = None) -> Answers[Out]:
        """What the network makes of each chip. Raises Overloaded at once if too many wait.

        Lines take turns, see Batcher.
        """
        return await self._batcher.submit(chips, line)

    def answer_at_once(self, chips: Sequence[Pixels]) -> Answers[Out] | None:
        """The same in this thread; None if the network is at work for others."""
        return self._batcher.at_once(self._reader.look, chips)

    async def work(self) -> None:
        """Looks at chips until cancelled."""
        await self._batcher.work(self._reader.look)
