"""Who is found in group photographs, when the photographs of one person each are what is enrolled."""

from typing import NamedTuple

import numpy as np

from bench.faces import Face


class Found(NamedTuple):
    """A face of a group photograph, looked for in the gallery."""

    face: Face
    enrolled: bool
    nearest: str  # whose face in the gallery is nearest
    distance: float  # Euclidean, to that one


def search(faces: list[Face]) -> list[Found]:
    """Every face of the group photographs against everybody who is enrolled."""
    gallery = [face for face in faces if not face.group]
    rows = np.array([face.embedding for face in gallery], np.float64)
    people = {face.person for face in gallery}
    found = []
    for face in (face for face in faces if face.group):
        distances = np.linalg.norm(rows - face.embedding, axis=1)
        best = int(distances.argmin())
        found.append(Found(face, face.person in people, gallery[best].person, float(distances[best])))
    return found
