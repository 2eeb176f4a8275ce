"""Embeddings that are the middle between those of a face and of its mirror image."""

from pathlib import Path

import numpy as np
import pytest

from embedder.networks import Networks, load
from embedder.pack import Pack, read_pack
from mien.v1 import embedder_pb2 as pb
from tests.embedder.conftest import Serving


@pytest.fixture(scope="module")
def flipped() -> Pack:
    return read_pack("open", flip=True)


@pytest.fixture(scope="module")
def flipping(flipped: Pack, networks: dict[str, Path]) -> Networks:
    return load(flipped, networks)


def test_an_embedding_is_the_middle_of_two(loaded: Networks, flipping: Networks) -> None:
    chips = list(np.random.default_rng(0).integers(0, 256, (3, 150, 150, 3), np.uint8))
    mirrored = [chip[:, ::-1] for chip in chips]
    one, other = (np.array(loaded.recogniser.look(each)) for each in (chips, mirrored))
    middle = (one + other) / np.linalg.norm(one + other, axis=1, keepdims=True)
    found = np.array(flipping.recogniser.look(chips))
    assert np.abs(found - middle).max() < 1e-6
    assert np.abs(found - one).max() > 1e-3
    assert np.abs(found - np.array(flipping.recogniser.look(mirrored))).max() < 1e-6


async def test_it_is_another_model_with_a_calibration_of_its_own(
    pack: Pack, flipped: Pack, flipping: Networks, serving: Serving
) -> None:
    async with serving(pack=flipped, networks=flipping) as stub:
        model = (await stub.GetModel(pb.GetModelRequest())).model
    assert model.name == "open+flip"
    assert (model.dimension, model.chip_size) == (pack.dimension, pack.chip_size)
    assert model.calibration.threshold < pack.calibration.threshold


def test_a_pack_that_says_nothing_of_it_keeps_its_calibration() -> None:
    plain, other = read_pack("sface"), read_pack("sface", flip=True)
    assert other.calibration == plain.calibration
    assert (plain.name, plain.flip, other.name, other.flip) == ("sface", False, "sface+flip", True)
