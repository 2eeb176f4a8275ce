"""How turned pixels are seen upright without being moved."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from embedder.orientation import Orientation
from tests.embedder.conftest import saved

TAGS = range(1, 9)
LYING = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize("tag", TAGS)
def test_each_tag_turns_as_pillow_does(tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    with Image.open(BytesIO(saved(Image.fromarray(LYING), "PNG", exif=exif))) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    assert np.array_equal(Orientation.of_tag(tag).upright(LYING), expected)


@pytest.mark.parametrize("tag", [0, 1, 9, -3, 2**40])
def test_other_tags_say_nothing(tag: int) -> None:
    assert Orientation.of_tag(tag) == Orientation()


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (7, 1), (1, 1)])
def test_a_view_is_one_of_the_same_memory_and_knows_how_it_lies(tag: int, shape: tuple[int, int]) -> None:
    lying = LYING[: shape[0], : shape[1]]
    upright = Orientation.of_tag(tag).upright(lying)
    assert np.shares_memory(upright, lying)
    assert Orientation.of_tag(tag).lying(upright).strides == lying.strides
    found = Orientation.of_view(upright).lying(upright)
    assert np.array_equal(found, lying) or 1 in shape
    assert found.strides[0] > 0 < found.strides[1]


@pytest.mark.parametrize("tag", TAGS)
def test_the_matrix_takes_each_pixel_to_its_place(tag: int) -> None:
    orientation = Orientation.of_tag(tag)
    upright = orientation.upright(LYING)
    matrix = orientation.matrix(*upright.shape[:2])
    for y, x in np.ndindex(LYING.shape[:2]):
        column, row, one = matrix @ [x, y, 1]
        assert one == 1
        assert np.array_equal(upright[int(row), int(column)], LYING[y, x])
