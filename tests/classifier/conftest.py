"""A classifier and an embedder as they run in a mesh, each its own process, with the real networks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

import grpc
import pytest
from PIL import Image

from serving.probe import is_serving
from tests.galleries import new_service
from tests.photographs import photograph
from tests.postgres import Server, free_port, new_database

PATIENCE = 30.0  # seconds


class Classifier(NamedTuple):
    address: str
    database_url: str


@contextmanager
def running(module: str, **environment: str) -> Iterator[None]:
    """A service, from when it is SERVING to its clean end."""
    process = subprocess.Popen([sys.executable, "-m", module], env=os.environ | environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while not is_serving(environment[f"{module.upper()}_LISTEN"], 0.2):
            assert process.poll() is None
            assert time.monotonic() < deadline
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.fixture(scope="session")
def embedder() -> Iterator[str]:
    """The address of an embedder."""
    photograph("obama")  # the first time, photographs and networks are fetched: not on the clock
    address = f"127.0.0.1:{free_port()}"
    with running("embedder", EMBEDDER_LISTEN=address):
        yield address


@contextmanager
def serving(embedder: str, postgres: Server) -> Iterator[Classifier]:
    """A classifier with a database of its own."""
    address = f"127.0.0.1:{free_port()}"
    with (
        new_database(postgres) as url,
        running("classifier", CLASSIFIER_LISTEN=address, DATABASE_URL=url, CLASSIFIER_EMBEDDER=embedder),
    ):
        yield Classifier(address, url)


@pytest.fixture(scope="session")
def classifier(embedder: str, postgres: Server) -> Iterator[Classifier]:
    with serving(embedder, postgres) as classifier:
        yield classifier


@pytest.fixture
async def channel(classifier: Classifier) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(classifier.address) as channel:
        yield channel


@pytest.fixture
def key(classifier: Classifier) -> list[tuple[str, str]]:
    """The metadata that opens an empty gallery of the test's own."""
    return [("x-api-key", new_service(classifier.database_url)[1])]


def pixels(name: str, side: int = 220) -> Image.Image:
    with Image.open(photograph(name)) as image:
        image.thumbnail((side, side))
        return image.convert("RGB")


def saved(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="session")
def obama() -> bytes:
    return saved(pixels("obama"))


@pytest.fixture(scope="session")
def biden() -> bytes:
    return saved(pixels("biden"))


@pytest.fixture(scope="session")
def two_faces() -> bytes:
    left, right = pixels("obama"), pixels("biden")
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return saved(both)


@pytest.fixture(scope="session")
def no_face() -> bytes:
    return saved(Image.effect_noise((320, 240), 40).convert("RGB"))
