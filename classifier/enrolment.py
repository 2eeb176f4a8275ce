"""Makes faces to be enrolled: of images, and of embeddings that callers have."""

import hashlib
from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np

from classifier.analysis import Analyses, Wanted
from classifier.served import Served
from classifier.vectors import unit_row
from serving.faults import ModelMismatch, NoFace, SeveralFaces
from store.additions import Added, Additions, Key, NewFace


class Enrolment:
    """`most_faces` says how many faces the gallery may have with the one of the call in progress."""

    def __init__(
        self,
        analyses: Analyses,
        additions: Additions,
        most_faces: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._analyses = analyses
        self._additions = additions
        self._served = Served(analyses)
        self._most_faces = most_faces

    async def add_face(
        self, gallery_id: UUID, image: bytes, subject: str, wanted: Wanted, key: str | None = None
    ) -> Added:
        """Enrols the one face of an image file under a subject.

        Raises what `photographed` does, ModelMismatch, GalleryFull and the faults of the store.
        """
        face = await self.photographed(gallery_id, image, subject, wanted, key)
        return face if isinstance(face, Added) else await self._additions.add(gallery_id, face)

    async def photographed(
        self, gallery_id: UUID, image: bytes, subject: str, wanted: Wanted, key: str | None
    ) -> NewFace | Added:
        """The one face of an image file; or, without another look at it, the one enrolled under its key.

        Raises NoFace, SeveralFaces, IdempotencyKeyUsed, and the faults of Analyses.analyze and of the store.
        """
        known_by = _key(key, subject, image)
        if known_by and (added := await self._additions.known(gallery_id, known_by)):
            return added
        # Two tell as well as all that there is more than one.
        analysis = await self._analyses.analyze(image, wanted.embedded()._replace(max_faces=2))
        if not analysis.faces:
            raise NoFace("the image shows no face; send one that does, or lower min_score")
        if len(analysis.faces) > 1:
            raise SeveralFaces(
                "the image shows more than one face; crop it to the one that is meant", faces=2
            )
        embedding = analysis.faces[0].embedding.astype("<f4").tobytes()
        return NewFace(subject, embedding, analysis.model.name, image, known_by, self._most_faces())

    async def embedded(
        self, embedding: Sequence[float], model: str, image: bytes, subject: str, key: str | None
    ) -> NewFace:
        """A face that its caller has embedded, with its image, which may be empty: it has none then.

        Raises ArgumentInvalid, ImageTooLarge, ModelMismatch, EmbedderUnavailable.
        """
        self._analyses.check_size(image)
        served = await self._served.model()
        if model != served.name:
            raise ModelMismatch(
                f"the embedding was made by the model {model!r}, embedders have {served.name}",
                embedding_model=model,
                model=served.name,
            )
        sent = np.array(embedding, "<f4")
        unit = unit_row("embedding", sent, served.dimension)
        # Not the unit vector: another machine may bring it to norm 1 with other last digits.
        known_by = _key(key, subject, image, model.encode(), sent.tobytes())
        return NewFace(
            subject, unit.astype("<f4").tobytes(), model, image or None, known_by, self._most_faces()
        )


def _key(text: str | None, subject: str, *content: bytes) -> Key | None:
    """The key with a fingerprint of what is added: the subject in any letter case, and its parts."""
    if text is None:
        return None
    fingerprint = hashlib.sha256()
    for part in (subject.casefold().encode(), *content):
        fingerprint.update(len(part).to_bytes(8))
        fingerprint.update(part)
    return Key(text, fingerprint.digest())
