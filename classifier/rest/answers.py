"""Faces and what they are like in the shape, the order and the rounding of CompreFace's answers."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from google.protobuf.struct_pb2 import ListValue

from classifier.faces import Found, Step
from classifier.recognition import Match
from classifier.rest.options import Options
from mien.rest.v1 import compreface_pb2 as pb

Answer = TypeVar("Answer", pb.DetectedFace, pb.RecognizedFace, pb.MatchedFace, pb.VerifiedFace)

# What CompreFace calls the steps.
_PLUGINS = {
    "age": "age",
    "gender": "gender",
    "mask": "mask",
    "pose": "pose",
    "detector": "detector",
    "recogniser": "calculator",
}


def described(answer: Answer, found: Found, options: Options) -> Answer:
    """The answer, with what was asked for of a face; a plugin that is not here is left out."""
    box = found.box
    answer.box.CopyFrom(
        pb.Box(
            probability=found.score,
            x_max=round(box.left + box.width),
            y_max=round(box.top + box.height),
            x_min=round(box.left),
            y_min=round(box.top),
        )
    )
    if found.age:
        low, high, probability = found.age
        answer.age.CopyFrom(pb.Age(probability=probability, high=high, low=low))
    if found.gender:
        male, probability = found.gender
        answer.gender.CopyFrom(pb.Gender(probability=probability, value="male" if male else "female"))
    if found.mask:
        wear, probability = found.mask
        answer.mask.CopyFrom(pb.Mask(probability=probability, value=wear.value))
    if found.pose:
        answer.pose.CopyFrom(pb.Pose(**found.pose._asdict()))
    if options.embedding:
        answer.embedding.CopyFrom(_list(found.embedding.tolist()))
    if options.landmarks and found.landmarks is not None:
        for x, y in found.landmarks.tolist():
            answer.landmarks.values.add().list_value.CopyFrom(_list([round(x), round(y)]))
    return answer


def timed(answers: Sequence[Answer], steps: Iterable[Step], options: Options) -> list[Answer]:
    """The answers, each with its share of the time that the steps took, if that was asked for."""
    if options.status:
        for answer in answers:
            for step in steps:
                if name := _PLUGINS.get(step.name):
                    setattr(answer.execution_time, name, rounded(step.milliseconds / len(answers)))
    return list(answers)


def versions(steps: Iterable[Step], options: Options) -> pb.PluginsVersions | None:
    """What did the steps, if that was asked for."""
    return pb.PluginsVersions(**plugins(steps)) if options.status else None


def plugins(steps: Iterable[Step]) -> dict[str, str]:
    """What does the steps, by CompreFace's names of them; what it has no name for is left out."""
    return {_PLUGINS[step.name]: step.version for step in steps if step.name in _PLUGINS}


def similar(matches: Iterable[Match]) -> list[pb.SimilarSubject]:
    return [
        pb.SimilarSubject(subject=match.subject, similarity=rounded(match.similarity)) for match in matches
    ]


def rounded(value: float) -> float:
    """To five places, halves away from zero."""
    return float(Decimal(value).quantize(Decimal("0.00001"), ROUND_HALF_UP))


def _list(values: list[float]) -> ListValue:
    answer = ListValue()
    answer.extend(values)
    return answer
