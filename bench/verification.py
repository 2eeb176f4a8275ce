"""What a detector's landmarks are worth to the recogniser."""

from typing import NamedTuple

import numpy as np

from bench.candidates import Candidate
from bench.faces import Face
from bench.pairs import Kind, compare, rate
from bench.placing import eye_distance, nearest
from embedder.alignment import align
from embedder.detector import Floats, Pixels
from embedder.recogniser import Recogniser

KINDS = {Kind.GENUINE: "refused", Kind.APART: "apart", Kind.TOGETHER: "together"}


class Looked(NamedTuple):
    """A face of which is known whose it is, and where."""

    face: Face
    pixels: Pixels  # of its photograph
    landmarks: Floats  # (5, 2): the reference's


class Placed(NamedTuple):
    """What a detector makes of n faces."""

    errors: list[float]  # of those that it found: mean distance of landmarks, in distances of the eyes
    embeddings: Floats  # (n, dimension)


def placed(candidate: Candidate, looked: list[Looked], recogniser: Recogniser) -> Placed:
    """A face that is not found is taken for the reference's: misses are counted elsewhere."""
    seen: dict[str, Floats] = {}
    errors, chips = [], []
    for face, pixels, wanted in looked:
        if face.photograph not in seen:
            seen[face.photograph] = candidate.detector.find(pixels, candidate.min_score).landmarks
        place = nearest(seen[face.photograph], wanted)
        landmarks = wanted if place is None else seen[face.photograph][place]
        if place is not None:
            errors.append(float(np.hypot(*(landmarks - wanted).T).mean()) / eye_distance(wanted))
        chips.append(align(pixels, landmarks, candidate.template, face.chip.shape[0]))
    return Placed(errors, np.array(recogniser.embed(chips)))


def judged(own: Placed, looked: list[Looked], others: dict[str, Floats], threshold: float) -> dict[str, str]:
    """As table cells: landmarks, mean cosines to the embeddings of others, errors at the threshold."""
    pairs = compare([each.face for each in looked], own.embeddings)
    median, worst = np.quantile(own.errors, [0.5, 0.95])
    return {
        "missed": str(len(looked) - len(own.errors)),
        "landmarks": f"{median:.3f} / {worst:.3f}",
        **{
            f"cosine to {name}": f"{(own.embeddings * rows).sum(1).mean():.4f}"
            for name, rows in others.items()
        },
        **{name: f"{100 * rate(pairs.of(kind), threshold):.3g}" for kind, name in KINDS.items()},
    }
