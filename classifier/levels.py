"""How similar a face has to be to somebody of a gallery, so that it is seldom by chance."""

import asyncio
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from classifier.evidence import SAMPLE, evidence
from classifier.faces import Model
from classifier.fitting import fit
from classifier.matrix import Matrix
from classifier.shelf import View
from classifier.stored import Stored
from classifier.tails import Tail, comparisons, in_search, of_one

LEAST = 200  # subjects: fewer tell less than the photographs that the model pack was measured on
_STALE = 0.1  # a share of the gallery: when that much has changed it is looked at again
_REMEMBERED = 1000  # galleries
_VOID = 1.0  # when that much has, the old answer no longer does meanwhile


class Basis(Enum):
    """As the contract's Basis says."""

    GALLERY = 1
    MODEL = 2
    OPERATING_POINT = 3


class Level(NamedTuple):
    """What a gallery asks of a face."""

    threshold: float  # cosine
    basis: Basis
    rate: float | None = None  # of strangers that reach the threshold; None: nobody knows
    tail: Tail | None = None  # None: as well
    comparisons: float = 0.0  # as how many a search of the gallery counts

    def as_similar(self, cosine: float) -> float | None:
        """The share of strangers whose most similar subject is as similar as that."""
        return self.tail and in_search(self.tail.share(cosine), self.comparisons)


class _Fitted(NamedTuple):
    tail: Tail | None  # None: it has been emptied meanwhile
    model: str | None
    revision: int
    faces: int

    def changed(self, view: View | Stored, faces: int) -> float:
        """The share of the gallery that may be another by now; no bounds."""
        if view.model != self.model:
            return float("inf")
        changes = max(abs(view.revision - self.revision), abs(faces - self.faces))
        return changes / max(self.faces, 1)


class Levels:
    """Looks at each gallery when it is first asked for, and again when it has changed.

    Of one that Postgres searches it has a sample fetched, and judges that alike.
    """

    def __init__(self) -> None:
        self._fitted: dict[UUID, _Fitted] = {}
        self._fits: dict[UUID, asyncio.Task[_Fitted]] = {}
        self._turn = asyncio.Semaphore(1)  # one core at most: searches go on meanwhile

    async def of(self, gallery_id: UUID, view: View | Stored, model: Model, rate: float) -> Level:
        """The level at which this share of strangers, in (0, 1), is taken for somebody."""
        if isinstance(view, View):
            subjects, faces = len(view.matrix.subjects), len(view.matrix)
        else:
            subjects, faces = await view.size()
        searched = comparisons(max(subjects, 1), max(faces, 1))
        tail = await self._tail(gallery_id, view, faces) if subjects >= LEAST else None
        basis = Basis.GALLERY if tail else Basis.MODEL
        tail = tail or model.strangers
        if tail is None:
            return Level(1 - model.threshold**2 / 2, Basis.OPERATING_POINT)
        return Level(tail.cosine(of_one(rate, searched)), basis, rate, tail, searched)

    async def _tail(self, gallery_id: UUID, view: View | Stored, faces: int) -> Tail | None:
        """As it was fitted, whatever the gallery's size since; waits only where there is none of use."""
        fitted = self._fitted.get(gallery_id)
        changed = fitted.changed(view, faces) if fitted else float("inf")
        if changed > _STALE:
            task = self._fits.get(gallery_id)
            if task is None:
                task = self._fits[gallery_id] = asyncio.create_task(self._fit(gallery_id, view, faces))
            if changed > _VOID:
                fitted = await asyncio.shield(task)
        return fitted and fitted.tail

    async def _fit(self, gallery_id: UUID, view: View | Stored, faces: int) -> _Fitted:
        try:
            async with self._turn:
                matrix = view.matrix if isinstance(view, View) else await view.sample(SAMPLE)
                tail = await asyncio.to_thread(_look, matrix)
            fitted = _Fitted(tail, view.model, view.revision, faces)
            self._fitted.pop(gallery_id, None)
            self._fitted[gallery_id] = fitted
            if len(self._fitted) > _REMEMBERED:  # the one that was looked at the longest ago
                del self._fitted[next(iter(self._fitted))]
            return fitted
        finally:
            del self._fits[gallery_id]


def _look(matrix: Matrix) -> Tail | None:
    seen = evidence(matrix)
    return fit(*seen) if seen else None
