"""The real Envoy before a tiny classifier and a tiny embedder, which remember what reached them."""

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from mien.launcher import gateway
from mien.launcher.certificate import Certificate, self_made
from mien.launcher.gateway import Address, Places, Terms
from mien.launcher.mesh import free_ports
from mien.rest.v1 import compreface_pb2, compreface_pb2_grpc
from mien.v1 import embedder_pb2, embedder_pb2_grpc
from serving.probe import is_serving

LOCAL = "127.0.0.1"
FRIEND = "https://friend.example"  # whose pages may call more than CompreFace's API
RATE = 100  # requests a second


class Classifier(compreface_pb2_grpc.CompreFaceServiceServicer):
    """Takes a subject's name for an order."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []  # the metadata of each

    def AddSubject(self, request: Any, context: Any) -> Any:
        self.calls.append(dict(context.invocation_metadata()))
        order, _, text = request.subject.partition(":")
        if order == "refuse":
            status = status_pb2.Status(code=43, message=text)
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        if order == "away":
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if order == "sleep":
            time.sleep(float(text))
        context.send_initial_metadata([("x-http-status", "201")])
        return compreface_pb2.AddSubjectResponse(subject=request.subject)

    def DeleteFaces(self, request: Any, context: Any) -> Any:
        self.calls.append(dict(context.invocation_metadata()))
        return compreface_pb2.DeleteFacesResponse(deleted=len(request.subject[0]))

    def Recognize(self, request: Any, context: Any) -> Any:
        self.calls.append(dict(context.invocation_metadata()))
        return compreface_pb2.RecognizeResponse()


class Embedder(embedder_pb2_grpc.EmbedderServiceServicer):
    """Never there."""

    def __init__(self) -> None:
        self.calls = 0

    def Analyze(self, request: Any, context: Any) -> Any:
        self.calls += 1
        context.abort(grpc.StatusCode.UNAVAILABLE, "away")

    def GetModel(self, request: Any, context: Any) -> Any:
        self.calls += 1
        return embedder_pb2.GetModelResponse()


@dataclass
class Edge:
    port: int
    internal: str
    secure: str
    certificate: Certificate
    admin: int
    classifier: Classifier = field(default_factory=Classifier)
    embedder: Embedder = field(default_factory=Embedder)

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.port}"

    @property
    def address(self) -> str:
        return f"{LOCAL}:{self.port}"


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    ports = (Address(LOCAL, port) for port in free_ports(6))
    public, secure, internal, classifier, embedder, admin = ports
    folder = tmp_path_factory.mktemp("envoy")
    certificate = self_made(folder)
    edge = Edge(public.port, str(internal), str(secure), certificate, admin.port)
    servers = [
        _serve(
            classifier,
            lambda to: compreface_pb2_grpc.add_CompreFaceServiceServicer_to_server(edge.classifier, to),
        ),
        _serve(
            embedder, lambda to: embedder_pb2_grpc.add_EmbedderServiceServicer_to_server(edge.embedder, to)
        ),
    ]
    places = Places(public, secure, internal, admin, [classifier], [embedder], [])
    terms = Terms(rate=RATE, origins=[FRIEND])
    gateway.write(places, certificate, folder / "envoy.json", terms)
    with running(folder / "envoy.json"):
        for address in (str(public), str(internal)):
            await_serving(address)
        yield edge
    for server in servers:
        server.stop(0).wait()


class running:  # noqa: N801
    """Envoy, for the length of a block."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def __enter__(self) -> None:
        self._envoy = subprocess.Popen(gateway.command(self._config), stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._envoy.terminate()
        self._envoy.wait(5)


def await_listening(address: Address) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(address, 1).close()
        except OSError:
            assert time.monotonic() < deadline, f"{address} does not listen"
            time.sleep(0.05)


def await_serving(address: str) -> None:
    deadline = time.monotonic() + 20
    while not is_serving(address, 1.0):
        assert time.monotonic() < deadline, f"{address} does not serve"
        time.sleep(0.05)


def _serve(address: Address, register: Any) -> grpc.Server:
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 16 << 20)])
    register(server)
    state = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    state.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(str(address))
    server.start()
    return server
