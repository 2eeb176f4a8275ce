"""The galleries in memory, within a budget: the one that was not read for the longest leaves first."""

from collections import OrderedDict
from typing import NamedTuple
from uuid import UUID

from classifier.matrix import Matrix
from serving.faults import GalleryTooLarge
from store.revisions import Place

OF_A_FACE = 48  # bytes that a face takes beside its embedding
CROWDED = 0.75  # of the budget: what grows beyond has room yet while it moves into Postgres


class View(NamedTuple):
    """A gallery at one revision. The model is None while it has no face."""

    matrix: Matrix
    revision: int
    model: str | None
    false_match_rate: float = 0.0  # the service's policy: the share of strangers that decisions may match
    staleness: float = 0.0  # seconds that it may be behind, where that was allowed; 0: it is fresh
    moving_to: Place | None = None  # None: it stays in memory


def size_of(faces: int, dimension: int) -> int:
    """The bytes that a gallery takes in memory."""
    return faces * (4 * dimension + OF_A_FACE)


def too_large(need: int, budget: int) -> GalleryTooLarge:
    return GalleryTooLarge(
        f"the gallery takes {need} bytes, and galleries may take {budget} here", bytes=need, max_bytes=budget
    )


def is_crowded(faces: int, dimension: int, budget: int) -> bool:
    """Whether a gallery of this size takes nearly all there is."""
    return size_of(faces, dimension) > CROWDED * budget


class Full(Exception):
    """Galleries that are being loaded have taken the room."""


class Shelf:
    """Not for several threads, but for `views`."""

    def __init__(self, budget: int) -> None:
        self._budget = budget  # bytes
        self._views: OrderedDict[UUID, View] = OrderedDict()  # the one that was read last at the end
        self._awaited: dict[UUID, int] = {}  # bytes, of those that are being loaded
        self._level: dict[UUID, float] = {}

    def views(self) -> dict[UUID, View]:
        """All of them now. May be called in any thread."""
        return dict(self._views)

    def get(self, gallery_id: UUID) -> View | None:
        return self._views.get(gallery_id)

    def read(self, gallery_id: UUID) -> None:
        """Remembers that it was read now."""
        if gallery_id in self._views:
            self._views.move_to_end(gallery_id)

    def require(self, faces: int, dimension: int) -> int:
        """The bytes that a gallery of this size takes. Raises GalleryTooLarge."""
        need = size_of(faces, dimension)
        if need > self._budget:
            raise too_large(need, self._budget)
        return need

    def expect(self, gallery_id: UUID, faces: int, dimension: int) -> None:
        """Makes room for a gallery of this size before it is loaded. Raises GalleryTooLarge, Full."""
        need = self.require(faces, dimension)
        if need + sum(self._awaited.values()) > self._budget:
            raise Full
        self._awaited[gallery_id] = need
        self._make_room(gallery_id)

    def expect_no_more(self, gallery_id: UUID) -> None:
        self._awaited.pop(gallery_id, None)

    def put(self, gallery_id: UUID, view: View) -> None:
        """Keeps a view in place of an older one, or of what was expected."""
        self._awaited.pop(gallery_id, None)
        self._views[gallery_id] = view
        self._make_room(gallery_id)

    def drop(self, gallery_id: UUID) -> None:
        self._views.pop(gallery_id, None)
        self._awaited.pop(gallery_id, None)
        self._level.pop(gallery_id, None)

    def level(self, gallery_id: UUID) -> float | None:
        """When a view was last known to be the newest, by time.monotonic(); None if it is not held."""
        return self._level.get(gallery_id)

    def found_level(self, gallery_id: UUID, asked: float) -> None:
        """Postgres, asked at this time, had nothing newer than the view."""
        if gallery_id in self._views:
            self._level[gallery_id] = max(asked, self._level.get(gallery_id, asked))

    def _make_room(self, keep: UUID) -> None:
        """Never drops `keep`: what is larger than the budget by its spare room alone must stay."""
        taken = sum(view.matrix.nbytes for view in self._views.values()) + sum(self._awaited.values())
        for each in [each for each in self._views if each != keep]:
            if taken <= self._budget:
                return
            taken -= self._views[each].matrix.nbytes
            self.drop(each)
