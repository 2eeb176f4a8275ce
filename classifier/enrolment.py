"""Enrols the one face of an image."""

from uuid import UUID

from classifier.analysis import Analyses, Wanted
from serving.faults import NoFace, SeveralFaces
from store.gallery import GalleryStore, StoredFace


class Enrolment:
    def __init__(self, analyses: Analyses, store: GalleryStore) -> None:
        self._analyses = analyses
        self._store = store

    async def add_face(
        self, gallery_id: UUID, image: bytes, subject: str, wanted: Wanted
    ) -> tuple[StoredFace, int]:
        """Keeps the face of an image file under a subject; returns it and the gallery's new revision.

        Raises NoFace, SeveralFaces, ModelMismatch, and the faults of Analyses.analyze and of the store.
        """
        # Two tell as well as all that there is more than one.
        analysis = await self._analyses.analyze(image, wanted.embedded()._replace(max_faces=2))
        if not analysis.faces:
            raise NoFace("the image shows no face; send one that does, or lower min_score")
        if len(analysis.faces) > 1:
            raise SeveralFaces(
                "the image shows more than one face; crop it to the one that is meant", faces=2
            )
        embedding = analysis.faces[0].embedding.astype("<f4").tobytes()
        return await self._store.add_face(gallery_id, subject, embedding, image, analysis.model.name)
