"""YuNet and CenterFace together: what the default detector must not miss, and must not see."""

import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from embedder import refining
from embedder.detector import Detector, Faces, Floats, Pixels
from embedder.refining import Refined
from tests.embedder.conftest import PHOTOGRAPHS
from tests.photographs import photograph

WHOLE = ("obama", "obama2", "biden")  # photographs of a whole face


def opened(name: str) -> Pixels:
    with Image.open(photograph(name)) as file:
        return np.asarray(file.convert("RGB"))


def scaled(pixels: Pixels, scale: float) -> Pixels:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how), np.uint8)


@pytest.mark.parametrize("side", [160, 320, 1000, 4000])  # the last is 12 megapixels and more
@pytest.mark.parametrize("share", [1.0, 0.8, 0.5])
@pytest.mark.parametrize("name", WHOLE)
def test_a_face_that_fills_the_image_or_more_is_found(
    refined: Detector, name: str, share: float, side: int
) -> None:
    pixels = opened(name)
    box = refined.find(pixels, 0.5).boxes[0]
    middle, reach = box[:2] + box[2:] / 2, box[2:] / 2 * share
    (left, top), (right, bottom) = (middle - reach).astype(int), (middle + reach).astype(int)
    frame = pixels[max(0, top) : bottom, max(0, left) : right]
    assert len(refined.find(scaled(frame, side / max(frame.shape[:2])), 0.5).scores) == 1


@pytest.mark.parametrize("width", [24, 32])
def test_small_faces_in_a_group_are_all_found(refined: Detector, width: int) -> None:
    group = np.full((480, 640, 3), 128, np.uint8)
    places = []
    for i, name in enumerate(PHOTOGRAPHS):
        pixels = opened(name)
        left, top, wide, high = refined.find(pixels, 0.5).boxes[0]
        face = scaled(pixels, width / float(wide))[:230, :150]
        x, y = i % 4 * 160, i // 4 * 240
        group[y : y + face.shape[0], x : x + face.shape[1]] = face
        places.append(np.array([x, y]) + np.array([left + wide / 2, top + high / 2]) * width / wide)
    boxes = refined.find(group, 0.5).boxes
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    assert len(boxes) == len(places)
    for place in places:
        assert np.hypot(*(middles - place).T).min() < width / 4


@pytest.mark.parametrize("shape", [(480, 640, 3), (2000, 1500, 3), (90, 70, 3)])
def test_noise_has_no_face(refined: Detector, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert not len(refined.find(noise, 0.5).scores)
    assert not len(refined.find(scaled(noise[: shape[0] // 8], 8), 0.5).scores)


@pytest.mark.parametrize("name", WHOLE)
def test_landmarks_are_where_centerface_alone_has_them(
    refined: Detector, centerface: Detector, name: str
) -> None:
    pixels = opened(name)
    (close,), (whole,) = (each.find(pixels, 0.5).landmarks for each in (refined, centerface))
    assert np.hypot(*(close - whole).T).mean() < 0.08 * np.hypot(*(whole[0] - whole[1]))


def test_what_centerface_does_not_see_is_no_face(refined: Refined, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(images: Floats, min_score: float) -> list[Faces]:
        none = np.empty((0, 16), np.float32)
        return [Faces(none[:, :4], none[:, 6:].reshape(0, 5, 2), none[:, 0])] * len(images)

    monkeypatch.setattr(refined._placer, "look", nothing)
    found = refined.find(opened("obama"), 0.5)
    assert (found.boxes.shape, found.landmarks.shape, found.scores.shape) == ((0, 4), (0, 5, 2), (0,))


def test_more_faces_than_a_batch_are_looked_at(refined: Detector) -> None:
    face = scaled(opened("obama"), 0.15)[:160, :120]
    crowd = np.tile(face, (4, 5, 1))
    assert len(refined.find(crowd, 0.5).scores) == 20 > refining.BATCH


def test_the_faces_are_the_same_while_the_helper_is_busy(refined: Refined) -> None:
    pixels, go = opened("obama"), threading.Event()
    expected = refined.find(pixels, 0.5)
    busy = refined._helper.submit(go.wait, 60)
    try:
        found = refined.find(pixels, 0.5)
    finally:
        go.set()
    assert busy.result()
    assert all(np.array_equal(*each) for each in zip(found, expected, strict=True))
