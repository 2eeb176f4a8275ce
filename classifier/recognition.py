"""Who is in an image: its faces, and for each the enrolled faces it is most like."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from classifier.analysis import Analyses, Wanted
from classifier.decisions import Decision, decide
from classifier.doubts import doubts
from classifier.faces import Floats, Found, Model, Step
from classifier.galleries import NEWEST, Freshness, Galleries
from classifier.levels import Levels
from classifier.searching import Searches
from classifier.shelf import View
from classifier.stored import Stored
from classifier.vectors import unit_rows
from store.gallery import check_model

A = TypeVar("A")
B = TypeVar("B")


class Deciding(NamedTuple):
    """How it is decided whether a face is somebody's."""

    rate: float | None  # the share of strangers that may be taken for somebody; None: the service's policy
    unique: bool = False  # nobody is in an image twice


class Search(NamedTuple):
    """What of a gallery is wanted for each face."""

    most: int  # matches of a face
    distinct: bool = True  # each subject once, by its best face
    min_similarity: float = 0.0  # in [0, 1]; what is less like is left out
    deciding: Deciding | None = None  # needs `distinct`; None: nothing is decided
    exact: bool = False  # whether each vector is read, if Postgres searches


class Match(NamedTuple):
    face_id: UUID
    subject: str
    cosine: float  # in [-1, 1]
    similarity: float  # in [0, 1], calibrated


class Who(NamedTuple):
    matches: list[Match]  # the most similar first
    decision: Decision | None  # None: it was not asked for


class RecognisedFace(NamedTuple):
    found: Found
    who: Who


class Recognised(NamedTuple):
    faces: list[RecognisedFace]  # the largest first
    model: Model
    steps: list[Step]
    view: View | Stored  # of the gallery that was searched


class Recognition:
    def __init__(self, analyses: Analyses, galleries: Galleries) -> None:
        self._analyses = analyses
        self._galleries = galleries
        self._searches = Searches()
        self._levels = Levels()

    async def recognize(
        self, gallery_id: UUID, image: bytes, wanted: Wanted, search: Search, freshness: Freshness = NEWEST
    ) -> Recognised:
        """Finds the faces of an image file and searches the gallery for each.

        Raises the faults of Analyses.analyze and Galleries.fresh, and ModelMismatch.
        """
        # The gallery is brought up to date while the embedder works: freshness costs no time.
        analysis, view = await together(
            self._analyses.analyze(image, wanted.embedded(judged=bool(search.deciding))),
            self._galleries.fresh(gallery_id, freshness),
        )
        embeddings = [face.embedding for face in analysis.faces]
        searched = await self._searched(gallery_id, view, embeddings, analysis.model, search)
        faces = [RecognisedFace(*each) for each in zip(analysis.faces, searched, strict=True)]
        if search.deciding:
            faces = [_doubted(face) for face in faces]
        return Recognised(faces, analysis.model, analysis.steps, view)

    async def recognize_embeddings(
        self,
        gallery_id: UUID,
        embeddings: Sequence[Sequence[float]],
        search: Search,
        freshness: Freshness = NEWEST,
    ) -> tuple[list[Who], View | Stored]:
        """Who each embedding is, and the gallery as it was searched.

        Raises ArgumentInvalid, EmbedderUnavailable, ModelMismatch and the faults of Galleries.fresh.
        """
        (model, _), view = await together(
            self._analyses.model(), self._galleries.fresh(gallery_id, freshness)
        )
        rows = await asyncio.to_thread(unit_rows, "embeddings", embeddings, model.dimension)
        return await self._searched(gallery_id, view, list(rows), model, search), view

    async def _searched(
        self, gallery_id: UUID, view: View | Stored, rows: list[Floats], model: Model, search: Search
    ) -> list[Who]:
        check_model(view.model, model.name)
        deciding = search.deciding
        most = max(search.most, _needed(deciding, len(rows)))
        if isinstance(view, View):
            found = await self._searches.search(view.matrix, rows, most, distinct=search.distinct)
        else:
            found = await view.search(rows, most, distinct=search.distinct, exact=search.exact)
        decisions: list[Decision | None] = [None] * len(rows)
        if deciding and rows:
            rate = deciding.rate or view.false_match_rate
            level = await self._levels.of(gallery_id, view, model, rate)
            # To assign many faces takes seconds, if all of them could be anybody.
            decisions = [*await asyncio.to_thread(decide, found, level, model, unique=deciding.unique)]
        matches = [
            [Match(*hit, model.similarity(hit.cosine)) for hit in hits[: search.most]] for hits in found
        ]
        return [
            Who([match for match in each if match.similarity >= search.min_similarity], decision)
            for each, decision in zip(matches, decisions, strict=True)
        ]


def _needed(deciding: Deciding | None, faces: int) -> int:
    """How many subjects of each face a decision needs to know."""
    if deciding is None:
        return 0
    return 1 + (faces if deciding.unique else 1)


def _doubted(face: RecognisedFace) -> RecognisedFace:
    found, who = face
    assert who.decision
    return RecognisedFace(found, who._replace(decision=who.decision._replace(doubts=doubts(found))))


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
