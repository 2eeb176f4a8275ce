"""Where chips are cut."""

import cv2
import numpy as np
import pytest
from PIL import Image

from embedder.alignment import align, fit, similarity
from embedder.detector import Floats, Pixels
from embedder.orientation import Orientation
from embedder.pack import Pack
from tests.photographs import photograph

SIZE = 150


@pytest.mark.parametrize("scale", [0.1, 0.4, 1.0, 7.0])
@pytest.mark.parametrize("turn", [0, 35, 180])
def test_the_similarity_is_found_back(pack: Pack, scale: float, turn: float) -> None:
    there = cv2.getRotationMatrix2D((40, 90), turn, scale)
    here = (pack.detection.template - there[:, 2]) @ np.linalg.inv(there[:, :2]).T
    assert np.allclose(similarity(here, pack.detection.template), there)


@pytest.mark.parametrize("scale", [0.11, 0.3, 0.49, 0.51, 1.0, 3.0])
def test_what_lies_at_the_landmarks_comes_to_lie_on_the_template(pack: Pack, scale: float) -> None:
    template = pack.detection.template
    landmarks = template[:, ::-1] / scale + [31.5, 20.25]  # turned, too: x and y change places
    landmarks = np.stack([SIZE / scale + 60 - landmarks[:, 0], landmarks[:, 1]], 1)
    side = int(SIZE / scale + 120)
    y, x = np.mgrid[:side, :side]
    spread = max(2.0, 3 / scale)
    for point, target in zip(landmarks, template, strict=True):
        spot = 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * spread**2))
        image = np.repeat(spot.astype(np.uint8)[:, :, None], 3, 2)
        chip = align(image, landmarks.astype(np.float32), template, SIZE)[:, :, 0].astype(float)
        rows, columns = np.mgrid[:SIZE, :SIZE]
        centre = (chip * columns).sum() / chip.sum(), (chip * rows).sum() / chip.sum()
        assert np.abs(np.array(centre) - target).max() < 0.3


def test_beyond_the_edge_a_chip_is_black(pack: Pack) -> None:
    white = np.full((80, 80, 3), 255, np.uint8)
    for shift in (-500, 60, 10_000):
        landmarks = (pack.detection.template + shift).astype(np.float32)
        chip = align(white, landmarks, pack.detection.template, SIZE)
        assert chip.shape == (SIZE, SIZE, 3)
        assert chip[149, 149].tolist() == [0, 0, 0]
    big = align(white, (pack.detection.template * 4 + 5000).astype(np.float32), pack.detection.template, SIZE)
    assert not big.any()


def test_landmarks_that_are_no_face_give_a_black_chip(pack: Pack) -> None:
    white = np.full((80, 80, 3), 255, np.uint8)
    for landmarks in (np.full((5, 2), 40), np.full((5, 2), 3e30)):
        assert not align(white, landmarks.astype(np.float32), pack.detection.template, SIZE).any()


@pytest.fixture(scope="module")
def obama() -> Pixels:
    with Image.open(photograph("obama")) as file:
        return np.asarray(file.convert("RGB"))


def face(pack: Pack, scale: float) -> Floats:
    """Landmarks around the middle of the photograph, a little aslant, of a face shrunk by `scale`."""
    away = (pack.detection.template - 75) / scale
    turn = np.array([[0.97, 0.24], [-0.24, 0.97]])
    return (away @ turn + [455, 450]).astype(np.float32)


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.6, 2.0])
@pytest.mark.parametrize("tag", range(1, 9))
def test_of_a_turned_image_chips_are_the_same(pack: Pack, obama: Pixels, tag: int, scale: float) -> None:
    orientation = Orientation.of_tag(tag)
    turned = orientation.upright(np.ascontiguousarray(orientation.lying(obama)))
    landmarks, template = face(pack, scale), pack.detection.template
    for chip, expected in (
        (align(turned, landmarks, template, SIZE), align(obama, landmarks, template, SIZE)),
        (fit(turned, SIZE), fit(obama, SIZE)),
    ):
        assert chip.flags.c_contiguous
        assert np.abs(chip.astype(int) - expected).mean() < 0.5
        assert np.abs(chip.astype(int) - expected).max() < 20


@pytest.mark.parametrize("scale", [0.1, 0.2, 0.33, 0.45])
def test_what_is_shrunk_is_averaged(pack: Pack, scale: float) -> None:
    """As by a warp that looks at each chip's pixel at sixteen times sixteen places."""
    noise = np.random.default_rng(2).integers(0, 256, (2600, 2600, 3), np.uint8)
    landmarks, template = face(pack, scale) + np.float32(800), pack.detection.template
    matrix = similarity(landmarks.astype(np.float64), template)
    fine = np.array([[16, 0, 7.5], [0, 16, 7.5], [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    large = cv2.warpAffine(noise, fine[:2], (SIZE * 16, SIZE * 16), flags=cv2.INTER_LINEAR)
    expected = cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    chip = align(noise, landmarks, template, SIZE)
    assert np.abs(chip.astype(int) - expected).mean() < 70 * scale


@pytest.mark.parametrize("scale", [0.1, 0.2, 0.33, 0.45, 0.7, 3])
def test_within_the_image_a_chip_has_no_rim(pack: Pack, scale: float) -> None:
    white = np.full((2600, 2600, 3), 255, np.uint8)
    assert (align(white, face(pack, scale) + np.float32(800), pack.detection.template, SIZE) == 255).all()


def test_a_face_is_cut_out_of_an_image_of_any_width(pack: Pack, obama: Pixels) -> None:
    wide = np.zeros((1000, 40_000, 3), np.uint8)  # OpenCV warps no more than 32767 columns
    wide[:, 39_000:39_910] = obama[:1000]
    landmarks = face(pack, 0.4)
    chip = align(wide, landmarks + np.array([39_000, 0], np.float32), pack.detection.template, SIZE)
    assert np.abs(chip.astype(int) - align(obama, landmarks, pack.detection.template, SIZE)).max() <= 3
    assert align(wide, landmarks * 100, pack.detection.template, SIZE).shape == (SIZE, SIZE, 3)
