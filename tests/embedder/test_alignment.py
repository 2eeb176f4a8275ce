"""Where chips are cut."""

import cv2
import numpy as np
import pytest

from embedder.alignment import align, similarity
from embedder.pack import Pack

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
