"""Where landmarks lie on the chips of the attributes' networks."""

import numpy as np
import pytest

from embedder.chips import By, read_chip
from embedder.template import Frame, reframed

# dlib's: where the corners of the eyes and the base of the nose lie on a face, in its widths, and on a chip
# of 150 pixels with a padding of 0.25.
ON_FACE = [
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
]
ON_CHIP = [(110.957, 46.350), (89.606, 47.897), (37.058, 46.373), (58.409, 47.906), (74.011, 87.780)]


def test_a_template_moves_to_other_chips_as_dlib_has_it() -> None:
    for frame in (Frame(64, 0.2), Frame(32, 0.2), Frame(150, 0.25), Frame(200, 0.0)):
        expected = frame.size * (frame.padding + np.array(ON_FACE)) / (1 + 2 * frame.padding)
        assert np.abs(reframed(np.array(ON_CHIP), Frame(150, 0.25), frame) - expected).max() < 1e-3


def test_the_templates_of_age_and_gender_are_those_that_were_measured() -> None:
    age, gender = (read_chip(name, "centerface") for name in ("dlib64", "dlib32"))
    expected = [(18.731, 18.977), (44.354, 18.977), (31.543, 33.639), (20.562, 44.388), (42.524, 44.388)]
    assert np.abs(age.template - expected).max() < 6e-4
    assert np.allclose(gender.template * 2, age.template)
    assert (age.size, gender.size) == (64, 32)


@pytest.mark.parametrize("name", ["dlib150", "dlib64", "dlib32"])
def test_each_detector_has_templates_of_its_own(name: str) -> None:
    moved = read_chip(name, "yunet").template - read_chip(name, "centerface").template
    assert 0.1 < np.abs(moved).max() < 4


@pytest.mark.parametrize("name", ["dlib150", "dlib64", "dlib32"])
def test_with_a_predictor_no_detector_has_a_template_of_its_own(name: str) -> None:
    chips = [read_chip(name, detector, placed=True) for detector in ("yunet", "centerface", "")]
    assert {chip.by for chip in chips} == {By.POINTS}
    assert all((chip.template == chips[0].template).all() for chip in chips)
