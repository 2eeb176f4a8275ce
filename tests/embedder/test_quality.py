"""What is said of how well a face can be recognised."""

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from embedder.detector import Pixels
from embedder.pose import Pose
from embedder.quality import Quality, to_quality
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from tests.embedder.conftest import saved

AHEAD = Pose(0, 0, 0)
EYES = np.array([[46, 46], [102, 46], [74, 79], [50, 102], [98, 102]], np.float32)


@pytest.fixture(scope="module")
def chip(portrait: Image.Image) -> Pixels:
    """A face that fills a chip."""
    face = portrait.crop((80, 20, 200, 140)).resize((150, 150))
    return np.asarray(face)


def quality(chip: Pixels, landmarks: Any = EYES, pose: Pose | None = AHEAD) -> Quality:
    return to_quality(chip, landmarks, pose, 150)


def test_a_good_face_is_good_in_every_part(chip: Pixels) -> None:
    assert quality(chip).value > 0.6
    assert quality(chip, None, None).frontality == 1


def test_blur_takes_sharpness_and_nothing_else(chip: Pixels) -> None:
    blurred = [quality(cv2.GaussianBlur(chip, (0, 0), sigma)) for sigma in (0.5, 1.5, 3, 6, 12)]  # type: ignore[arg-type]
    sharpness = [each.sharpness for each in blurred]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 0.6
    assert sharpness[-1] == 0
    assert all(each.value == each.sharpness for each in blurred[3:])
    assert {(each.size, each.frontality) for each in blurred} == {(1, 1)}


@pytest.mark.parametrize(("between", "size"), [(3, 0), (6, 0), (12, 0.5), (24, 1), (400, 1)])
def test_size_is_by_the_pixels_between_the_eyes(chip: Pixels, between: float, size: float) -> None:
    assert quality(chip, EYES * between / 56).size == pytest.approx(size, abs=1e-5)


@pytest.mark.parametrize(
    ("pose", "frontality"), [(Pose(0, 60, 0), 0.5), (Pose(-60, 0, 9), 0.5), (Pose(0, 100, 0), 0)]
)
def test_a_face_that_looks_away_is_less_frontal(chip: Pixels, pose: Pose, frontality: float) -> None:
    assert quality(chip, EYES, pose).frontality == pytest.approx(frontality)


@pytest.mark.parametrize("how", [lambda c: c * 0.02, lambda c: c * 6.0 + 100, lambda c: c * 0.02 + 120])
def test_too_dark_too_bright_and_flat_are_badly_exposed(chip: Pixels, how: Any) -> None:
    changed = np.clip(how(chip.astype(np.float32)), 0, 255).astype(np.uint8)
    assert quality(changed).exposure < 0.2 < quality(chip).exposure


async def test_an_embedder_tells_it_and_how_long_it_took(embedder: Any, portrait: Image.Image) -> None:
    request = pb.AnalyzeRequest(image=saved(portrait), outputs=[face_pb2.FACE_OUTPUT_QUALITY])
    answer = await embedder.Analyze(request)
    (face,) = answer.faces
    parts = [face.quality.sharpness, face.quality.size, face.quality.frontality, face.quality.exposure]
    assert face.quality.value == min(parts) > 0.3
    assert not face.embedding
    assert not face.chip
    assert [step.name for step in answer.steps] == ["detector", "aligner", "quality"]
    request.whole_image = True
    assert (await embedder.Analyze(request)).faces[0].quality.frontality == 1
