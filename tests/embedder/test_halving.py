"""What halves of images are, and where their pixels come from."""

import tracemalloc
from functools import cache

import cv2
import numpy as np
import pytest

from embedder.detector import SIDE, to_canvas
from embedder.halving import halved, halvings
from embedder.orientation import Orientation, Pixels

TAGS = range(1, 9)


@cache
def waves(rows: int, columns: int) -> Pixels:
    """A picture that changes everywhere, and nowhere in steps."""
    y, x = np.ogrid[:rows, :columns]
    planes = [np.sin(x / 90 + i) * 60 + np.cos(y / 70 + i) * 60 + 128 for i in range(3)]
    return np.stack([plane.astype(np.uint8) for plane in planes], 2)


@pytest.mark.parametrize(
    ("size", "least", "times"), [(99, 100, 0), (199, 100, 0), (200, 100, 1), (1, 0.1, 3)]
)
def test_an_image_is_halved_while_enough_is_left(size: float, least: float, times: int) -> None:
    assert halvings(size, least) == times


@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize("tag", TAGS)
def test_each_pixel_is_the_mean_of_those_that_it_stands_for(tag: int, times: int) -> None:
    upright = Orientation.of_tag(tag).upright(
        np.random.default_rng(1).integers(0, 256, (53, 75, 3), np.uint8)
    )
    half, cell = halved(upright, times), 1 << times
    matrix = half.matrix()
    for y, x in np.ndindex(half.lying.shape[:2]):
        column, row, _ = matrix @ [x, y, 1] - (cell - 1) / 2
        assert (column % 1, row % 1) == (0, 0)
        there = upright[int(row) :, int(column) :][:cell, :cell]
        assert np.abs(half.lying[y, x] - there.mean((0, 1))).max() <= times
    assert half.lying.size >= (upright.shape[0] - cell + 1) * (upright.shape[1] - cell + 1) * 3 / cell**2


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (64, 1), (3, 100)])
def test_of_the_thinnest_image_something_is_left(shape: tuple[int, int]) -> None:
    half = halved(np.full((*shape, 3), 77, np.uint8), 4)
    assert half.lying.shape[:2] == (max(1, shape[0] >> 4), max(1, shape[1] >> 4))
    assert (half.lying == 77).all()


@pytest.mark.parametrize(
    "shape", [(300, 400), (700, 1000), (1279, 900), (2561, 1900), (3001, 4003), (40, 6000)]
)
def test_a_canvas_shows_the_whole_image_as_one_step_would(shape: tuple[int, int]) -> None:
    pixels = waves(*shape)
    canvas = to_canvas(pixels)
    shown = [min(side, round(side * SIDE / max(shape))) for side in shape]
    expected = cv2.resize(pixels, shown[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(canvas.pixels[: shown[0], : shown[1]].astype(int) - expected).max() <= 3
    assert np.allclose(canvas.scale, np.array(shown[::-1]) / shape[::-1], rtol=3e-3, atol=0)
    assert not canvas.pixels[shown[0] :].any()
    assert not canvas.pixels[:, shown[1] :].any()


@pytest.mark.parametrize("tag", TAGS)
def test_a_turned_image_is_turned_when_it_is_small(tag: int) -> None:
    upright = Orientation.of_tag(tag).upright(waves(3000, 4001))
    tracemalloc.start()
    canvas = to_canvas(upright)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < upright.size / 2
    expected = to_canvas(np.ascontiguousarray(upright))
    assert np.array_equal(canvas.scale, expected.scale)
    assert np.abs(canvas.pixels.astype(int) - expected.pixels).max() <= 1


@pytest.mark.parametrize("shape", [(120, 90), (500, 300), (700, 1000), (3001, 4003)])
def test_a_canvas_is_shrunk_on_as_the_image_would_be(shape: tuple[int, int]) -> None:
    pixels = waves(*shape)
    smaller, expected = to_canvas(pixels).smaller(160), to_canvas(pixels, 160)
    rows, columns = (min(each) for each in zip(smaller.size, expected.size, strict=True))
    assert np.abs(np.subtract(smaller.size, expected.size)).max() <= 1
    differ = np.abs(smaller.pixels[:rows, :columns].astype(int) - expected.pixels[:rows, :columns])
    assert differ.mean() < 2
    assert np.allclose(smaller.scale, np.array(smaller.size[::-1]) / shape[::-1], rtol=3e-3, atol=0)


def test_a_canvas_becomes_planes() -> None:
    canvas = to_canvas(waves(700, 1000))
    assert np.array_equal(canvas.planes(), cv2.dnn.blobFromImage(canvas.pixels))
    assert np.array_equal(canvas.planes(blue_first=True), cv2.dnn.blobFromImage(canvas.pixels, swapRB=True))
