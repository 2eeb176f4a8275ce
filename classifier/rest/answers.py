"""Recognised faces in the shape, the order and the rounding of CompreFace's answers."""

from decimal import ROUND_HALF_UP, Decimal

from google.protobuf.struct_pb2 import ListValue

from classifier.recognition import RecognisedFace
from mien.rest.v1 import compreface_pb2 as pb


def recognised_face(face: RecognisedFace, plugins: str) -> pb.RecognizedFace:
    """One entry of `result`, with what `plugins` asks for; a plugin that is not here is left out."""
    found, box = face.found, face.found.box
    answer = pb.RecognizedFace(
        box=pb.Box(
            probability=rounded(found.score),
            x_max=round(box.left + box.width),
            y_max=round(box.top + box.height),
            x_min=round(box.left),
            y_min=round(box.top),
        ),
        subjects=[
            pb.SimilarSubject(subject=match.subject, similarity=rounded(match.similarity))
            for match in face.matches
        ],
    )
    if "calculator" in plugins:
        answer.embedding.CopyFrom(_list(found.embedding.tolist()))
    if "landmarks" in plugins.split(","):
        for x, y in found.landmarks:
            answer.landmarks.values.add().list_value.CopyFrom(_list([round(float(x)), round(float(y))]))
    return answer


def rounded(value: float) -> float:
    """To five places, halves away from zero."""
    return float(Decimal(value).quantize(Decimal("0.00001"), ROUND_HALF_UP))


def _list(values: list[float]) -> ListValue:
    answer = ListValue()
    answer.extend(values)
    return answer
