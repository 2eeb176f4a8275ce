"""Who is in an image: its faces, and for each the enrolled faces it is most like."""

import asyncio
from typing import NamedTuple
from uuid import UUID

import numpy as np

from classifier.analysis import Analyses, Analysis, Found, Model
from classifier.galleries import Galleries, View
from classifier.matrix import Hit
from store.gallery import check_model


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
    revision: int  # of the gallery that was searched


class Recognition:
    def __init__(self, analyses: Analyses, galleries: Galleries) -> None:
        self._analyses = analyses
        self._galleries = galleries

    async def recognize(
        self,
        gallery_id: UUID,
        image: bytes,
        *,
        min_score: float | None,
        max_faces: int,
        max_matches: int,
        distinct: bool,
    ) -> Recognised:
        """Finds the faces of an image file (0 in `max_faces`: all) and searches the gallery for each.

        With `distinct`, each subject matches once, by its best face. Raises the faults of
        Analyses.analyze and Galleries.fresh, and ModelMismatch.
        """
        # The gallery is brought up to date while the embedder works: freshness costs no time.
        try:
            async with asyncio.TaskGroup() as both:
                analysing = both.create_task(
                    self._analyses.analyze(image, min_score=min_score, max_faces=max_faces)
                )
                freshening = both.create_task(self._galleries.fresh(gallery_id))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        analysis, view = analysing.result(), freshening.result()
        check_model(view.model, analysis.model.name)
        hits = await asyncio.to_thread(_search, analysis, view, max_matches, distinct)
        faces = [
            RecognisedFace(found, [_match(hit, analysis.model) for hit in found_hits])
            for found, found_hits in zip(analysis.faces, hits, strict=True)
        ]
        return Recognised(faces, analysis.model, view.revision)


def _search(analysis: Analysis, view: View, count: int, distinct: bool) -> list[list[Hit]]:
    if not analysis.faces:
        return []
    return view.matrix.search(np.stack([face.embedding for face in analysis.faces]), count, distinct=distinct)


def _match(hit: Hit, model: Model) -> Match:
    return Match(hit.face_id, hit.subject, hit.cosine, model.similarity(hit.cosine))
