"""What the embedder's tests stand on: the real networks, loaded once."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from embedder.centerface import CenterFace
from embedder.detector import Detector
from embedder.fetching.cache import default_cache
from embedder.pack import Pack, read_pack
from embedder.preparation import prepare
from embedder.recogniser import Recogniser
from embedder.yunet import YuNet
from tests.photographs import photograph

PHOTOGRAPHS = ("obama", "obama2", "obama3", "obama_partial_face", "obama_partial_face2", "biden", "32bit")


@pytest.fixture(scope="session")
def pack() -> Pack:
    return read_pack("open")


@pytest.fixture(scope="session")
def networks(pack: Pack) -> dict[str, Path]:
    return prepare(pack, default_cache())


@pytest.fixture(scope="session")
def centerface(networks: dict[str, Path]) -> Detector:
    return CenterFace(networks["centerface"])


@pytest.fixture(scope="session")
def yunet(networks: dict[str, Path]) -> Detector:
    return YuNet(networks["yunet"])


@pytest.fixture(scope="session")
def recogniser(networks: dict[str, Path]) -> Recogniser:
    return Recogniser(networks["recogniser"])


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """A face that looks at the camera, 320 pixels high."""
    with Image.open(photograph("obama")) as file:
        image = file.convert("RGB")
    image.thumbnail((320, 320))
    return image


def saved(image: Image.Image, kind: str = "JPEG", **how: object) -> bytes:
    """The bytes of a file of `image`."""
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()
