"""How much the edge takes: requests of an address, bytes of a body, headers, frames, time."""

import http.client
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import grpc
import httpx
import pytest
import yaml
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from mien.launcher import gateway
from mien.launcher.certificate import self_made
from mien.launcher.gateway import Address, Places
from mien.launcher.mesh import free_ports
from mien.rest.v1 import compreface_pb2
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceStub
from mien.v1 import gallery_pb2, recognition_pb2
from serving.limits import SMALL_BODY
from tests.gateway.conftest import LOCAL, RATE, Edge, await_listening, running
from tests.gateway.test_configuration import ENVOY, routes

SUBJECTS = "/api/v1/recognition/subjects"
OTHER = "127.0.0.3"  # another client: an address of this machine that no other test calls from


def methods() -> Iterator[tuple[MethodDescriptor, str, str]]:
    """Each RPC with a REST path of its own, with the path and the field that the body is read into."""
    for file in (compreface_pb2, gallery_pb2, recognition_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                rule = method.GetOptions().Extensions[annotations_pb2.http]
                if rule.WhichOneof("pattern"):
                    yield method, getattr(rule, rule.WhichOneof("pattern")), rule.body


def is_large(message: Descriptor, seen: tuple[str, ...] = ()) -> bool:
    """Whether it has room for an image or for embeddings."""
    return any(
        field.type == FieldDescriptor.TYPE_BYTES
        or (field.type == FieldDescriptor.TYPE_FLOAT and field.is_repeated)
        or (
            field.message_type
            and field.message_type.full_name not in seen
            and field.message_type.full_name.startswith("mien.")
            and is_large(field.message_type, (*seen, field.message_type.full_name))
        )
        or (field.message_type and field.message_type.full_name == "google.api.HttpBody")
        for field in message.fields
    )


def test_only_paths_of_images_and_embeddings_take_large_bodies() -> None:
    config = yaml.safe_load((ENVOY / "envoy.yaml").read_text())
    large = [
        re.compile(route["match"]["safe_regex"]["regex"])
        for route in routes(config["static_resources"]["listeners"][0])
        if "safe_regex" in route["match"]
    ]
    told = {}
    for method, path, body in methods():
        if method.name == "DeleteFacesById":
            continue  # its body is a list of ids
        filled = re.sub(r"{.*?}", "x", path)
        told[filled] = told.get(filled, False) or (bool(body) and is_large(method.input_type))
    assert sum(told.values()) > 10
    for path, expected in told.items():
        assert any(each.fullmatch(path) for each in large) == expected, path


@pytest.mark.parametrize("path", [SUBJECTS, "/api/v1/recognition/faces/delete", "/v1/subjects"])
def test_elsewhere_a_body_is_small(edge: Edge, path: str) -> None:
    before = len(edge.classifier.calls)
    body = b'{"subject": "' + b"x" * SMALL_BODY + b'"}'
    answer = httpx.post(edge.url + path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "too large" in answer.json()["message"]
    assert len(edge.classifier.calls) == before


@pytest.mark.parametrize(
    "kind", ["application/grpcx", "application/grpc;x", "application/grpc-webx", "application/grpc-web;x"]
)
def test_what_only_looks_like_grpc_is_not_read_without_an_end(edge: Edge, kind: str) -> None:
    pieces = (b"{" + b'"subject": "' * (not number) + b"x" * (1 << 20) for number in range(20))
    with httpx.Client() as client:
        try:
            answer = client.post(f"{edge.url}/v1/subjects", content=pieces, headers={"content-type": kind})
        except httpx.WriteError:
            return  # the answer came first, and the connection ended
    assert answer.status_code == 413


def test_headers_are_few_and_short(edge: Edge) -> None:
    before = len(edge.classifier.calls)
    for headers in ({f"x-{number}": "x" for number in range(200)}, {"x-long": "x" * (20 << 10)}):
        answer = httpx.post(edge.url + SUBJECTS, json={"subject": "Ada"}, headers=headers)
        assert answer.status_code == 431
        with grpc.insecure_channel(edge.address) as channel, pytest.raises(grpc.RpcError):
            CompreFaceServiceStub(channel).AddSubject(
                compreface_pb2.AddSubjectRequest(subject="Ada"), metadata=list(headers.items())
            )
    assert len(edge.classifier.calls) == before


@pytest.mark.parametrize(
    "spoilt",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad name: y\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"\0" * 1000,
    ],
    ids=["length and chunks", "two lengths", "a space in a name", "TLS", "zeros"],
)
def test_what_can_be_read_in_two_ways_or_none_ends_the_connection(edge: Edge, spoilt: bytes) -> None:
    before = len(edge.classifier.calls)
    with socket.create_connection((LOCAL, edge.port), 10) as connection:
        connection.sendall(spoilt)
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert received == b"" or b" 400 " in received.splitlines()[0]
    assert len(edge.classifier.calls) == before


@pytest.mark.parametrize(
    ("limit", "head"),
    [("request_headers_timeout", "x-slow: "), ("max_stream_duration", "content-length: 1000\r\n\r\n")],
)
def test_a_request_that_comes_too_slowly_is_given_up(tmp_path: Path, limit: str, head: str) -> None:
    """After 10 seconds, or two minutes; here after one second, which is all that is changed."""
    public, secure, internal, admin, nowhere = (Address(LOCAL, port) for port in free_ports(5))
    places = Places(public, secure, internal, admin, [nowhere], [nowhere], [nowhere])
    config = tmp_path / "envoy.json"
    gateway.write(places, self_made(tmp_path), config)
    text = config.read_text()
    shortened, count = re.subn(rf'"{limit}": "(10|120)s"', f'"{limit}": "1s"', text)
    assert count
    config.write_text(shortened)
    with running(config):
        await_listening(public)
        with socket.create_connection(public, 10) as connection:
            connection.settimeout(0.1)
            connection.sendall(f"POST {SUBJECTS} HTTP/1.1\r\nhost: mien\r\n{head}".encode())
            received = b""
            for _ in range(100):
                connection.sendall(b"x")
                with suppress(TimeoutError):
                    received = connection.recv(1 << 16)
                    break
    assert received.startswith(b"HTTP/1.1 408 ")


def statuses(edge: Edge, count: int, source: str) -> Counter[int]:
    """Of so many requests, one right after the other."""
    counted: Counter[int] = Counter()
    connection = http.client.HTTPConnection(LOCAL, edge.port, timeout=10, source_address=(source, 0))
    with closing(connection):
        for _ in range(count):
            connection.request("GET", "/nothing")
            with connection.getresponse() as answer:
                answer.read()
                counted[answer.status] += 1
    return counted


def test_an_address_that_asks_too_often_is_refused_and_others_are_not(edge: Edge) -> None:
    counted = statuses(edge, 10 * RATE, OTHER)
    assert set(counted) == {404, 429}
    assert counted[404] >= 2 * RATE
    with httpx.Client(transport=httpx.HTTPTransport(local_address=OTHER)) as client:
        while (refused := client.get(edge.url + "/nothing")).status_code == 404:
            pass
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == 0
    assert "try again" in refused.json()["message"]
    assert httpx.post(edge.url + SUBJECTS, json={"subject": "Ada"}).status_code == 201


def test_a_native_caller_that_asks_too_often_is_told_so(edge: Edge) -> None:
    with grpc.insecure_channel(edge.address) as channel:
        stub = CompreFaceServiceStub(channel)
        request = compreface_pb2.AddSubjectRequest(subject="Ada")
        codes = {call.code() for call in [stub.AddSubject.future(request) for _ in range(10 * RATE)]}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
