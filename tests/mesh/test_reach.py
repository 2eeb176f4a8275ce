"""Where the processes of a mesh listen: on this machine alone, unless its operator lets others in."""

import ssl

import grpc
import httpx
import psutil
import pytest

from mien.v1.embedder_pb2 import GetModelRequest
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.mesh.conftest import Mesh


def listening(mesh: Mesh) -> set[tuple[str, int]]:
    return {
        (socket.laddr.ip, socket.laddr.port)
        for child in psutil.Process(mesh.process.pid).children(recursive=True)
        for socket in child.net_connections("tcp")
        if socket.status == psutil.CONN_LISTEN
    }


def test_other_machines_reach_nothing_until_they_are_let_in(mesh: Mesh) -> None:
    places = listening(mesh)
    assert {address.removeprefix("::ffff:") for address, _ in places} == {"127.0.0.1"}
    assert {mesh.state["ports"][name] for name in ("envoy", "secure", "postgres", "admin")} <= {
        port for _, port in places
    }


def test_tls_is_served_with_a_certificate_that_the_log_names(mesh: Mesh) -> None:
    context = ssl.create_default_context(cafile=mesh.data / "tls/certificate.pem")
    port = mesh.state["ports"]["secure"]
    answer = httpx.get(f"https://localhost:{port}/api/v1/config", verify=context)
    assert answer.status_code == 200
    assert any(f"with TLS: https://127.0.0.1:{port}" in line for line in mesh.log)
    (told,) = [line for line in mesh.log if "SHA-256 of its certificate: " in line]
    assert len(told.rpartition(" ")[2].split(":")) == 32
    assert not [line for line in mesh.log if "deprecated" in line]


@pytest.mark.parametrize("path", ["/metrics", "/stats/prometheus", "/config_dump", "/core/find_faces"])
def test_no_inside_page_is_public(mesh: Mesh, path: str) -> None:
    assert httpx.get(mesh.url + path).status_code == 404


def test_no_embedder_is_public(mesh: Mesh) -> None:
    with grpc.insecure_channel(mesh.address) as channel, pytest.raises(grpc.RpcError) as refused:
        EmbedderServiceStub(channel).GetModel(GetModelRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_the_page_of_the_documents_may_be_framed_by_nobody_and_load_nothing(mesh: Mesh) -> None:
    answer = httpx.get(f"{mesh.url}/api/v1/docs")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert "default-src 'none'" in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
