"""The detectors of `open`, on photographs."""

import cv2
import numpy as np
import pytest
from PIL import Image

from embedder.detector import Detector, to_canvas
from embedder.fetching.archives import fetch
from embedder.fetching.cache import default_cache
from embedder.pack import read_pack
from tests.embedder.conftest import PHOTOGRAPHS
from tests.photographs import photograph


@pytest.fixture(params=["centerface", "yunet", "refined"])
def detector(request: pytest.FixtureRequest) -> Detector:
    found: Detector = request.getfixturevalue(request.param)
    return found


def opened(name: str) -> Image.Image:
    with Image.open(photograph(name)) as file:
        return file.convert("RGB")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_each_photograph_has_its_one_face(detector: Detector, name: str) -> None:
    pixels = np.asarray(opened(name))
    boxes, landmarks, scores = detector.find(pixels, 0.5)
    assert boxes.shape == (1, 4)
    assert landmarks.shape == (1, 5, 2)
    assert 0.8 < scores[0] <= 1
    (left_eye, right_eye, nose, left_mouth, right_mouth) = landmarks[0]
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_a_face_that_fills_the_image_is_found(detector: Detector, portrait: Image.Image) -> None:
    left, top, width, height = detector.find(np.asarray(portrait), 0.5).boxes[0]
    tight = portrait.crop((int(left), int(top), int(left + width), int(top + height)))
    for side in (80, 150, 640, 1300):
        face = tight.resize((round(side * tight.width / tight.height), side))
        assert len(detector.find(np.asarray(face), 0.5).scores) == 1, side


def test_a_small_face_in_a_large_image_is_found(detector: Detector, portrait: Image.Image) -> None:
    large = Image.new("RGB", (1600, 1200), "gray")
    large.paste(portrait.resize((102, 128)), (900, 700))
    boxes = detector.find(np.asarray(large), 0.5).boxes
    assert len(boxes) == 1
    assert 900 < boxes[0][0] < 1000
    assert 700 < boxes[0][1] < 800


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (31, 33), (150, 150)])
def test_where_there_is_nothing_nothing_is_found(detector: Detector, size: tuple[int, int]) -> None:
    boxes, landmarks, scores = detector.find(np.zeros((*size, 3), np.uint8), 0.5)
    assert (len(boxes), len(landmarks), len(scores)) == (0, 0, 0)


def test_the_largest_face_comes_first_and_the_score_is_a_bar(
    detector: Detector, portrait: Image.Image
) -> None:
    both = Image.new("RGB", (500, 320))
    both.paste(portrait.resize((100, 125)), (0, 0))
    both.paste(portrait, (240, 0))
    boxes, _, scores = detector.find(np.asarray(both), 0.5)
    assert [box[0] > 240 for box in boxes] == [True, False]
    assert len(detector.find(np.asarray(both), float(scores.max())).scores) == 1
    assert len(detector.find(np.asarray(both), 1.0).scores) == 0


def test_no_score_is_too_low_to_ask_for(detector: Detector, portrait: Image.Image) -> None:
    boxes, _, scores = detector.find(np.asarray(portrait), 0.0)
    assert 1 < len(boxes) <= 1000
    assert (boxes[:, 2:] > 0).all()
    assert scores.max() > 0.8


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_yunet_is_read_as_opencv_reads_it(yunet: Detector, name: str) -> None:
    network = read_pack("open", "yunet").networks["yunet"]
    (published,) = fetch(network.archive, [network.member], default_cache())
    pixels = np.asarray(opened(name))
    canvas = to_canvas(pixels)
    theirs = cv2.FaceDetectorYN.create(str(published), "", canvas.pixels.shape[1::-1], 0.6, 0.3)
    _, expected = theirs.detect(np.ascontiguousarray(canvas.pixels[:, :, ::-1]))
    boxes, landmarks, scores = yunet.find(pixels, 0.6)
    assert np.abs(boxes[0] * canvas.scale[[0, 1, 0, 1]] - expected[0, :4]).max() < 1e-2
    assert np.abs(landmarks[0] * canvas.scale - expected[0, 4:14].reshape(5, 2)).max() < 1e-2
    assert abs(scores[0] - expected[0, 14]) < 1e-4
