"""What the parameters of a request with an image ask for."""

from typing import NamedTuple

from classifier.analysis import Wanted
from classifier.recognition import Search
from classifier.rest.parameters import Parameters
from mien.v1 import face_pb2
from serving.faults import NoFace

MOST_MATCHES = 1000  # enrolled faces answered for one face of the image

_OUTPUTS = {
    "age": face_pb2.FACE_OUTPUT_AGE,
    "gender": face_pb2.FACE_OUTPUT_GENDER,
    "mask": face_pb2.FACE_OUTPUT_MASK,
    "pose": face_pb2.FACE_OUTPUT_POSE,
}


class Options(NamedTuple):
    wanted: Wanted
    landmarks: bool  # whether to answer them
    embedding: bool
    status: bool  # whether to answer what was done, and how long it took


def read_options(asked: Parameters) -> Options:
    """Raises Refused; and NoFace for a threshold that no score can reach, as CompreFace does."""
    plugins = asked.text("face_plugins") or ""
    names = {name.strip() for name in plugins.split(",")}
    embedding = "calculator" in plugins  # anywhere: so CompreFace reads it
    outputs = [output for name, output in _OUTPUTS.items() if name in names]
    wanted = Wanted(
        read_threshold(asked),
        asked.integer("limit", 0, least=0, too_small="Limit should be equal or greater than 0"),
        read_min_face_size(asked),
        whole_image=not asked.flag("detect_faces", default=True),
        outputs=[*outputs, *([face_pb2.FACE_OUTPUT_EMBEDDING] * embedding)],
    )
    return Options(wanted, "landmarks" in names, embedding, asked.flag("status", default=False))


def read_threshold(asked: Parameters) -> float | None:
    score = asked.number("det_prob_threshold")
    if score is not None and not 0 <= score <= 1:
        raise NoFace("no face")
    return score


def read_min_face_size(asked: Parameters) -> int:
    return asked.integer(
        "min_face_size", 0, least=0, too_small="min_face_size should be equal or greater than 0"
    )


def read_search(asked: Parameters) -> Search:
    """Raises Refused."""
    count = asked.integer(
        "prediction_count", 1, least=1, too_small="prediction_count should be equal or greater than 1"
    )
    return Search(
        min(count, MOST_MATCHES),
        distinct=asked.flag("unique_subjects", default=False),
        min_similarity=asked.share("similarity_threshold", default=0.0),
    )
