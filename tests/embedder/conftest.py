"""What the embedder's tests stand on: the real networks, loaded once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from PIL import Image
from prometheus_client import CollectorRegistry

from embedder.centerface import CenterFace
from embedder.detector import Detector
from embedder.door import Door
from embedder.fetching.cache import default_cache
from embedder.metrics import Metrics
from embedder.networks import Networks, load
from embedder.pack import Pack, read_pack
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.preparation import prepare
from embedder.refining import Refined
from embedder.servicer import Embedder
from embedder.yunet import YuNet
from mien.v1 import errors_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub, add_EmbedderServiceServicer_to_server
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from serving.status import from_status
from tests.photographs import photograph

PHOTOGRAPHS = ("obama", "obama2", "obama3", "obama_partial_face", "obama_partial_face2", "biden", "32bit")

Serving = Callable[..., Any]


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
def refined(networks: dict[str, Path]) -> Detector:
    return Refined(networks["yunet"], networks["centerface"])


@pytest.fixture(scope="session")
def loaded(pack: Pack, networks: dict[str, Path]) -> Networks:
    return load(pack, networks)


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


def unread() -> Metrics:
    """Metrics that nobody looks at."""
    return Metrics(CollectorRegistry())


@pytest.fixture
def serving(pack: Pack, loaded: Networks) -> Serving:
    """An embedder of our own making, behind a port."""

    @asynccontextmanager
    async def serving(
        pool: Pool | None = None,
        networks: Networks = loaded,
        pack: Pack = pack,
        max_pixels: int = 4_000_000,
    ) -> AsyncIterator[EmbedderServiceStub]:
        metrics, calls = unread(), CallMetrics(CollectorRegistry())
        pool = pool or Pool(2, 8, metrics)
        pipeline = Pipeline(pack, networks, pool, metrics, max_pixels)
        server = grpc.aio.server(interceptors=[Refusals(calls), Door(pool)])
        add_EmbedderServiceServicer_to_server(Embedder(pipeline, calls), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        worker = asyncio.create_task(pipeline.work())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = EmbedderServiceStub(channel)
            stub.channel = channel  # for calls that no stub makes
            yield stub
        await server.stop(0)
        worker.cancel()

    return serving


@pytest.fixture
async def embedder(serving: Serving) -> AsyncIterator[EmbedderServiceStub]:
    async with serving() as stub:
        yield stub


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    fault = from_status(status_pb2.Status.FromString(details))
    assert fault is not None
    return refused.value.code(), errors_pb2.ErrorReason.Name(fault.reason), fault.facts
