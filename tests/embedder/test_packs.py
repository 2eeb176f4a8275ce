"""What the pack files that come with mien say."""

import math
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from embedder.chips import read_chip, recognisers
from embedder.fetching.sources import Archive, Download
from embedder.mask import Wear
from embedder.networks import AGES, DETECTORS, GENDERS
from embedder.pack import Pack, known_packs, read_pack
from embedder.pack_errors import PackUnknown

INSIGHTFACE = ("antelopev2", "buffalo_l")
DOCUMENT = Path(__file__).parents[2] / "docs/models.md"


@pytest.fixture(params=known_packs())
def any_pack(request: pytest.FixtureRequest) -> Pack:
    return read_pack(request.param)


def test_these_packs_come_with_mien() -> None:
    assert known_packs() == ["antelopev2", "buffalo_l", "open", "sface"]


def test_every_part_of_a_pack_is_one_that_there_is(any_pack: Pack) -> None:
    assert any_pack.detection.kind in DETECTORS
    assert set(any_pack.detection.networks) <= set(any_pack.networks)
    assert any_pack.age is None or any_pack.age.answers in AGES
    assert any_pack.gender is None or any_pack.gender.answers in GENDERS
    assert any_pack.mask is None or set(any_pack.mask.order) <= {wear.value for wear in Wear}
    assert set(any_pack.networks) <= {*DETECTORS, "predictor", "recogniser", "age", "gender", "mask"}
    assert (any_pack.chip_size, any_pack.dimension) in {(150, 128), (112, 128), (112, 512)}
    assert any_pack.detection.template.shape == (5, 2)


def test_every_file_is_named_by_its_hash_and_a_safe_address(any_pack: Pack) -> None:
    for network in any_pack.networks.values():
        source = network.archive
        assert isinstance(source, Archive | Download)
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
        assert re.fullmatch("[0-9a-f]{64}", network.member.sha256)
        if isinstance(source, Download):
            assert urlsplit(source.url).scheme == "https"
            assert source.file.endswith((".zip", ".onnx"))


@pytest.mark.parametrize("name", known_packs())
def test_every_archive_of_a_pack_is_used(name: str) -> None:
    told = tomllib.loads((files("embedder") / f"packs/{name}.toml").read_text())
    used = {network["archive"] for network in told["networks"].values() if "archive" in network}
    assert used == set(told.get("archives", {}))


@pytest.mark.parametrize("name", INSIGHTFACE)
def test_networks_for_research_alone_are_not_to_be_had_without_a_yes(name: str) -> None:
    pack = read_pack(name)
    assert pack.terms
    assert "non-commercial research" in pack.terms.says
    assert {network.licence for network in pack.networks.values()} == {"non-commercial research only"}


@pytest.mark.parametrize("name", ["open", "sface"])
def test_the_other_packs_are_free_for_any_purpose(name: str) -> None:
    pack = read_pack(name)
    assert pack.terms is None
    assert {network.licence for network in pack.networks.values()} <= {"MIT", "CC0-1.0", "Apache-2.0"}


def test_the_detector_of_two_packs_is_one_file() -> None:
    one, other = (read_pack(name).networks["scrfd"] for name in INSIGHTFACE)
    assert one.member.sha256 == other.member.sha256
    mine, theirs = (read_pack(name).networks["yunet"] for name in ("open", "sface"))
    assert mine.member.sha256 == theirs.member.sha256


def test_the_threshold_of_sface_is_that_of_its_authors() -> None:
    cosine = 1 - read_pack("sface").calibration.threshold ** 2 / 2
    assert math.isclose(cosine, 0.363, abs_tol=0.001)


def test_each_pack_and_its_calibration_is_documented(any_pack: Pack) -> None:
    (row,) = re.findall(rf"^\| `{any_pack.name}` \|.*threshold.*$", DOCUMENT.read_text(), re.MULTILINE)
    threshold, steepness = any_pack.calibration
    assert f"threshold {threshold:.3f}, steepness {steepness:.2f}" in row


def test_an_unknown_pack_is_refused_with_those_there_are() -> None:
    for name in ("nowhere", "samples", "../open", ""):
        with pytest.raises(PackUnknown, match="antelopev2, buffalo_l, open, sface"):
            read_pack(name)


def test_a_chip_without_a_template_of_the_detectors_own_has_one_for_all() -> None:
    fitted, other = (read_chip("dlib150", detector).template for detector in ("yunet", "scrfd"))
    assert 0.5 < np.abs(fitted - other).max() < 10
    assert (read_chip("arcface112", "yunet").template == read_chip("arcface112", "scrfd").template).all()
    assert list(recognisers()) == ["arcface112", "dlib150"]
