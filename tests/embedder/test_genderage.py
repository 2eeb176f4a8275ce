"""A network of InsightFace's kind that tells age and gender at once, of chips cut by the box."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from embedder.age import to_one_age
from embedder.attributes import AttributeNetwork
from embedder.chips import By
from embedder.conversion.networks import convert
from embedder.detector import Faces
from embedder.gender import Sex, to_likelier
from embedder.networks import AGES, GENDERS, Reader
from embedder.pack import read_pack
from embedder.stage import Stage
from tests.embedder.conftest import unread
from tests.embedder.small_networks import saved


def network(path: Path, batch: int | str = 1) -> Path:
    """Answers by the average colours: red less green, green less red, and a hundredth of blue's."""
    weights = np.array([[1, -1, 0], [-1, 1, 0], [0, 0, 0.01]], np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["average"]),
        helper.make_node("Reshape", ["average", "flat"], ["colours"]),
        helper.make_node("MatMul", ["colours", "weights"], ["fc1"]),
    ]
    flat = np.array([1 if batch == 1 else -1, 3], np.int64)
    graph = helper.make_graph(
        nodes,
        "genderage",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, 3, 96, 96])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(value, name) for name, value in (("flat", flat), ("weights", weights))],
    )
    return saved(graph, path)


def chip(red: int, green: int, blue: int) -> Any:
    return np.full((96, 96, 3), (red, green, blue), np.uint8)


@pytest.mark.parametrize("batch", [1, "N"])
@pytest.mark.parametrize("name", ["buffalo_l", "antelopev2"])
def test_age_and_gender_are_read_out_of_one_answer(tmp_path: Path, name: str, batch: int | str) -> None:
    pack = read_pack(name)
    assert pack.age
    assert pack.gender
    kind = pack.networks["age"].conversion
    assert kind
    convert(kind, network(tmp_path / "genderage.onnx", batch), tmp_path / "converted.onnx")
    chips = [chip(200, 198, 37), chip(10, 12, 61), chip(0, 255, 0)]
    ages = AttributeNetwork(tmp_path / "converted.onnx", pack.age, AGES[pack.age.answers]).look(chips)
    assert ages == [(37, 37, 1.0), (61, 61, 1.0), (0, 0, 1.0)]
    reads = GENDERS[pack.gender.answers]
    genders = AttributeNetwork(tmp_path / "converted.onnx", pack.gender, reads).look(chips)
    assert [gender.sex for gender in genders] == [Sex.FEMALE, Sex.MALE, Sex.MALE]
    # The odds of two scores are the exponential of their difference.
    assert genders[0].probability == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert genders[2].probability == 1


def test_years_are_whole_and_none_is_below_nothing() -> None:
    answers = [to_one_age(np.array([0, 0, years], np.float32)) for years in (0.314, 0.316, -0.05)]
    assert [age.low for age in answers] == [31, 32, 0]


def test_large_scores_do_not_overflow() -> None:
    assert to_likelier(np.array([1000, -1000, 0], np.float32)) == (Sex.FEMALE, 1.0)


def test_chips_are_cut_by_the_box_as_insightface_cuts_them() -> None:
    pack = read_pack("buffalo_l")
    assert pack.age
    pixels = np.random.default_rng(2).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    boxes = np.array([[60, 40, 70, 90], [150.5, -20.25, 100, 64]], np.float32)
    faces = Faces(boxes, np.zeros((2, 5, 2), np.float32), np.ones(2, np.float32))
    reader = Reader(pack.age.template, pack.age.chip_size, lambda chips: list(chips), (16,), pack.age.by)
    cut = Stage("age", reader, 0.0, unread()).cut(pixels, faces, faces.landmarks)
    for each, (left, top, width, height) in zip(cut, boxes.tolist(), strict=True):
        scale = 96 / (max(width, height) * 1.5)
        shift = 48 - scale * (left + width / 2), 48 - scale * (top + height / 2)
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        expected = cv2.warpAffine(pixels, matrix, (96, 96), flags=cv2.INTER_LINEAR)
        assert np.abs(each.astype(int) - expected).max() <= 1


def test_an_image_that_is_taken_for_a_face_is_the_chip() -> None:
    reader = Reader(np.zeros((4, 2)), 96, lambda chips: list(chips), (16,), By.BOX)
    faces = Faces(
        np.array([[0, 0, 96, 96]], np.float32), np.empty((0, 5, 2), np.float32), np.ones(1, np.float32)
    )
    pixels = np.random.default_rng(2).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    (cut,) = Stage("age", reader, 0.0, unread()).cut(pixels, faces, faces.landmarks)
    assert (cut == pixels).all()
