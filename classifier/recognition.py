"""Who is in an image: its faces, and for each the enrolled faces it is most like."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from classifier.analysis import Analyses, Wanted
from classifier.faces import Floats, Found, Model, Step
from classifier.galleries import NEWEST, Freshness, Galleries
from classifier.searching import Searches
from classifier.shelf import View
from classifier.vectors import unit_rows
from store.gallery import check_model

A = TypeVar("A")
B = TypeVar("B")


class Search(NamedTuple):
    """What of a gallery is wanted for each face."""

    most: int  # matches of a face
    distinct: bool = True  # each subject once, by its best face
    min_similarity: float = 0.0  # in [0, 1]; what is less like is left out


class Match(NamedTuple):
    face_id: UUID
    subject: str
    cosine: float  # in [-1, 1]
    similarity: float  # in [0, 1], calibrated


class RecognisedFace(NamedTuple):
    found: Found
    matches: list[Match]  # the most similar first


class Recognised(NamedTuple):
    faces: list[RecognisedFace]  # the largest first
    model: Model
    steps: list[Step]
    view: View  # of the gallery that was searched


class Recognition:
    def __init__(self, analyses: Analyses, galleries: Galleries) -> None:
        self._analyses = analyses
        self._galleries = galleries
        self._searches = Searches()

    async def recognize(
        self, gallery_id: UUID, image: bytes, wanted: Wanted, search: Search, freshness: Freshness = NEWEST
    ) -> Recognised:
        """Finds the faces of an image file and searches the gallery for each.

        Raises the faults of Analyses.analyze and Galleries.fresh, and ModelMismatch.
        """
        # The gallery is brought up to date while the embedder works: freshness costs no time.
        analysis, view = await together(
            self._analyses.analyze(image, wanted.embedded()), self._galleries.fresh(gallery_id, freshness)
        )
        embeddings = [face.embedding for face in analysis.faces]
        matches = await self._searched(view, embeddings, analysis.model, search)
        faces = [RecognisedFace(*each) for each in zip(analysis.faces, matches, strict=True)]
        return Recognised(faces, analysis.model, analysis.steps, view)

    async def recognize_embeddings(
        self,
        gallery_id: UUID,
        embeddings: Sequence[Sequence[float]],
        search: Search,
        freshness: Freshness = NEWEST,
    ) -> tuple[list[list[Match]], View]:
        """The matches of each embedding, and the gallery as it was searched.

        Raises ArgumentInvalid, EmbedderUnavailable, ModelMismatch and the faults of Galleries.fresh.
        """
        (model, _), view = await together(
            self._analyses.model(), self._galleries.fresh(gallery_id, freshness)
        )
        rows = await asyncio.to_thread(unit_rows, "embeddings", embeddings, model.dimension)
        return await self._searched(view, list(rows), model, search), view

    async def _searched(
        self, view: View, rows: list[Floats], model: Model, search: Search
    ) -> list[list[Match]]:
        check_model(view.model, model.name)
        found = await self._searches.search(view.matrix, rows, search.most, distinct=search.distinct)
        matches = [[Match(*hit, model.similarity(hit.cosine)) for hit in hits] for hits in found]
        return [[match for match in each if match.similarity >= search.min_similarity] for each in matches]


async def together(one: Awaitable[A], other: Awaitable[B]) -> tuple[A, B]:
    """What both return. As soon as one raises, so does this, and the other is given up."""

    async def wait(awaitable: Awaitable[object]) -> object:
        return await awaitable

    try:
        async with asyncio.TaskGroup() as group:
            tasks = group.create_task(wait(one)), group.create_task(wait(other))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return tasks[0].result(), tasks[1].result()  # type: ignore[return-value]
