"""Whether two faces are of one person."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np

from classifier.analysis import Analyses, Wanted
from classifier.faces import Floats, Found, Model, Step
from classifier.recognition import together
from classifier.vectors import unit_rows
from serving.faults import ModelMismatch, NoFace, SeveralFaces
from store.gallery import GalleryStore, check_model


class Likeness(NamedTuple):
    cosine: float  # in [-1, 1]
    similarity: float  # in [0, 1], calibrated


class ComparedFace(NamedTuple):
    found: Found
    likeness: Likeness


class Verified(NamedTuple):
    """A face of one image, beside those of another."""

    source: Found
    targets: list[ComparedFace]  # the largest first
    model: Model
    source_steps: list[Step]
    steps: list[Step]  # of the target


class VerifiedFace(NamedTuple):
    """An enrolled face, beside those of an image."""

    subject: str
    faces: list[ComparedFace]  # the largest first
    model: Model
    steps: list[Step]


class Verification:
    def __init__(self, analyses: Analyses, store: GalleryStore) -> None:
        self._analyses = analyses
        self._store = store

    async def verify(self, source: bytes, target: bytes, wanted: Wanted, *, largest_source: bool) -> Verified:
        """Compares the one face of an image file, or its largest, with those of another.

        Raises NoFace, SeveralFaces, and the faults of Analyses.analyze.
        """
        wanted = wanted.embedded()
        # Two tell as well as all that there is more than one.
        one, other = await together(
            self._analyses.analyze(source, wanted._replace(max_faces=1 if largest_source else 2)),
            self._analyses.analyze(target, wanted),
        )
        if not one.faces or not other.faces:
            where = "target" if one.faces else "source"
            raise NoFace(f"the {where} image shows no face; send one that does, or lower min_score")
        if len(one.faces) > 1:
            raise SeveralFaces("the source image shows more than one face; crop it to one", faces=2)
        if one.model.name != other.model.name:
            raise ModelMismatch(
                f"one embedder serves the model {one.model.name}, another {other.model.name}",
                gallery_model=one.model.name,
                model=other.model.name,
            )
        compared = _compared(one.faces[0].embedding, other.faces, other.model)
        return Verified(one.faces[0], compared, other.model, one.steps, other.steps)

    async def verify_embeddings(
        self, source: Sequence[float], targets: Sequence[Sequence[float]]
    ) -> list[Likeness]:
        """Compares an embedding with others. Raises ArgumentInvalid, EmbedderUnavailable."""
        one = await asyncio.to_thread(unit_rows, "source", [source], None)
        others = await asyncio.to_thread(unit_rows, "targets", targets, len(source))
        model, _ = await self._analyses.model()
        return _likenesses(one[0], others, model)

    async def verify_face(
        self, gallery_id: UUID, face_id: UUID, image: bytes, wanted: Wanted
    ) -> VerifiedFace:
        """Compares an enrolled face with those of an image file.

        Raises FaceNotFound, ModelMismatch, and the faults of Analyses.analyze.
        """
        analysis, template = await together(
            self._analyses.analyze(image, wanted.embedded()), self._store.template(gallery_id, face_id)
        )
        check_model(template.model, analysis.model.name)
        enrolled = np.frombuffer(template.embedding, "<f4")
        compared = _compared(enrolled, analysis.faces, analysis.model)
        return VerifiedFace(template.subject, compared, analysis.model, analysis.steps)

    async def verify_face_embeddings(
        self, gallery_id: UUID, face_id: UUID, embeddings: Sequence[Sequence[float]]
    ) -> tuple[str, list[Likeness]]:
        """The subject of an enrolled face, and how like it embeddings are.

        Raises FaceNotFound, ModelMismatch, ArgumentInvalid, EmbedderUnavailable.
        """
        (model, _), template = await together(
            self._analyses.model(), self._store.template(gallery_id, face_id)
        )
        check_model(template.model, model.name)
        rows = await asyncio.to_thread(unit_rows, "embeddings", embeddings, model.dimension)
        return template.subject, _likenesses(np.frombuffer(template.embedding, "<f4"), rows, model)


def _compared(one: Floats, faces: Sequence[Found], model: Model) -> list[ComparedFace]:
    if not faces:
        return []
    rows = np.stack([face.embedding for face in faces])
    return [ComparedFace(*each) for each in zip(faces, _likenesses(one, rows, model), strict=True)]


def _likenesses(one: Floats, others: Floats, model: Model) -> list[Likeness]:
    return [Likeness(cosine, model.similarity(cosine)) for cosine in (others @ one).tolist()]
