"""Our form of dlib's network against dlib itself, on real faces."""

from pathlib import Path

import dlib
import numpy as np
import pytest
from PIL import Image

from embedder.alignment import align
from embedder.conversion import dlib_format
from embedder.detector import Detector, Pixels
from embedder.fetching.archives import fetch
from embedder.fetching.cache import default_cache
from embedder.pack import Pack
from embedder.session import Session
from tests.embedder.conftest import PHOTOGRAPHS
from tests.photographs import photograph


@pytest.fixture(scope="session")
def weights(pack: Pack) -> Path:
    network = pack.networks["recogniser"]
    return fetch(network.archive, [network.member], default_cache())[0]


@pytest.fixture(scope="session")
def chips(centerface: Detector, pack: Pack) -> list[Pixels]:
    """21 chips: of each photograph as the detector places it, mirrored, and beside the mark."""
    made = []
    for name in PHOTOGRAPHS:
        with Image.open(photograph(name)) as file:
            pixels = np.asarray(file.convert("RGB"))
        landmarks = centerface.find(pixels, 0.5).landmarks[0]
        chip = align(pixels, landmarks, pack.detection.template, pack.chip_size)
        wide = align(pixels, landmarks, pack.detection.template * 0.7 + [10, 35], pack.chip_size)
        made += [chip, np.ascontiguousarray(chip[:, ::-1]), wide]
    return made


def test_embeddings_are_those_of_dlib(chips: list[Pixels], weights: Path, networks: dict[str, Path]) -> None:
    theirs = dlib.face_recognition_model_v1(str(weights))
    (ours,) = Session(networks["recogniser"]).run(np.stack(chips))
    expected = np.array([theirs.compute_face_descriptor(chip) for chip in chips])
    assert len(chips) >= 20
    assert np.abs(ours - expected).max() <= 1e-5


def test_a_face_is_embedded_alike_alone_and_in_a_batch(
    chips: list[Pixels], networks: dict[str, Path]
) -> None:
    network = Session(networks["recogniser"])
    (together,) = network.run(np.stack(chips))
    alone = np.concatenate([network.run(chip[None])[0] for chip in chips])
    assert np.abs(together - alone).max() <= 1e-6


def test_a_file_is_read_to_its_last_byte_or_not_at_all(weights: Path) -> None:
    data = weights.read_bytes()
    for damaged in (data[:-1], data + b"\0", data[:100], b"", b"\x01\x02" + data[2:]):
        with pytest.raises((ValueError, UnicodeDecodeError)):
            dlib_format.read(damaged)
