"""CompreFace's plugin `mask`."""

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict

from classifier.faces import Box, Found, Mask, Step, Wear
from classifier.rest.answers import described, timed, versions
from classifier.rest.options import read_options
from classifier.rest.parameters import Parameters
from mien.rest.v1 import compreface_pb2 as pb
from mien.v1 import face_pb2

ASKED = read_options(Parameters({}, face_plugins=["age,mask"], status=["true"]))
FACE = Found(Box(1, 2, 3, 4), None, 0.9, np.empty(0, np.float32))


def test_the_plugin_asks_for_it() -> None:
    assert ASKED.wanted.outputs == [face_pb2.FACE_OUTPUT_AGE, face_pb2.FACE_OUTPUT_MASK]


@pytest.mark.parametrize(
    ("wear", "says"),
    [
        (Wear.WITHOUT, "without_mask"),
        (Wear.WITH, "with_mask"),
        (Wear.INCORRECT, "mask_weared_incorrect"),
    ],
)
@pytest.mark.parametrize("kind", [pb.DetectedFace, pb.MatchedFace, pb.RecognizedFace, pb.VerifiedFace])
def test_it_is_answered_in_comprefaces_words(kind: type[pb.DetectedFace], wear: Wear, says: str) -> None:
    answer = described(kind(), FACE._replace(mask=Mask(wear, 0.75)), ASKED)
    assert MessageToDict(answer)["mask"] == {"probability": 0.75, "value": says}


def test_without_a_network_for_it_the_plugin_is_passed_over() -> None:
    assert not described(pb.DetectedFace(), FACE, ASKED).HasField("mask")


def test_its_time_and_its_version_are_told() -> None:
    steps = [Step("mask", "open/mask@63b9dea8", 8.0)]
    (first, _) = timed([pb.DetectedFace(), pb.DetectedFace()], steps, ASKED)
    assert MessageToDict(first.execution_time) == {"mask": 4.0}
    told = versions(steps, ASKED)
    assert told
    assert MessageToDict(told) == {"mask": "open/mask@63b9dea8"}
