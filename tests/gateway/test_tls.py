"""TLS at the edge: REST and gRPC over it, which versions, whose certificate, and what replaces it."""

import socket
import ssl
import time
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography import x509

from mien.rest.v1 import compreface_pb2
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceStub
from tests.certificates import vouched_for
from tests.gateway.conftest import Edge

SUBJECTS = "/api/v1/recognition/subjects"


def trusting(edge: Edge) -> ssl.SSLContext:
    """As strict as Python gets, with the file that is for clients to trust."""
    context = ssl.create_default_context(cafile=edge.certificate.chain.with_name("certificate.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def shaken(edge: Edge, context: ssl.SSLContext) -> ssl.SSLSocket:
    host, _, port = edge.secure.rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), 10), server_hostname=host)


def test_rest_over_tls_with_the_certificate_that_was_made(edge: Edge) -> None:
    answer = httpx.post(f"https://{edge.secure}{SUBJECTS}", json={"subject": "Ada"}, verify=trusting(edge))
    assert (answer.status_code, answer.json()) == (201, {"subject": "Ada"})
    assert edge.classifier.calls[-1]["x-forwarded-proto"] == "https"


def test_grpc_over_tls_with_the_certificate_that_was_made(edge: Edge) -> None:
    trusted = edge.certificate.chain.with_name("certificate.pem").read_bytes()
    with grpc.secure_channel(edge.secure, grpc.ssl_channel_credentials(trusted)) as channel:
        answer = CompreFaceServiceStub(channel).AddSubject(compreface_pb2.AddSubjectRequest(subject="Ada"))
    assert answer.subject == "Ada"


def test_who_does_not_trust_the_certificate_says_nothing(edge: Edge) -> None:
    before = len(edge.classifier.calls)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{edge.secure}{SUBJECTS}", verify=ssl.create_default_context())
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{edge.secure}{SUBJECTS}")
    assert len(edge.classifier.calls) == before


@pytest.mark.parametrize("protocols", [["h2", "http/1.1"], ["http/1.1"]])
def test_clients_choose_between_http_2_and_http_1(edge: Edge, protocols: list[str]) -> None:
    context = trusting(edge)
    context.set_alpn_protocols(protocols)
    with shaken(edge, context) as connection:
        assert connection.selected_alpn_protocol() == protocols[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_is_1_2_at_least(edge: Edge) -> None:
    for version, fine in {ssl.TLSVersion.TLSv1_1: False, ssl.TLSVersion.TLSv1_2: True}.items():
        context = trusting(edge)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = version
        if fine:
            with shaken(edge, context) as connection:
                assert connection.version() == "TLSv1.2"
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
                shaken(edge, context)


def test_browsers_are_told_to_insist_on_tls_only_where_they_have_it_and_somebody_vouches(edge: Edge) -> None:
    plain = httpx.get(edge.url + SUBJECTS)
    self_made = httpx.get(f"https://{edge.secure}{SUBJECTS}", verify=trusting(edge))
    for answer in (plain, self_made):
        assert "strict-transport-security" not in answer.headers
    private = edge.certificate.chain.read_bytes()
    trusted = edge.certificate.chain.with_name("certificate.pem").read_bytes()
    try:
        replace(edge, vouched_for("localhost", "127.0.0.1"))
        answer = httpx.get(f"https://{edge.secure}{SUBJECTS}", verify=trusting(edge))
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "strict-transport-security" not in httpx.get(edge.url + SUBJECTS).headers
    finally:
        replace(edge, private)
        assert edge.certificate.chain.with_name("certificate.pem").read_bytes() == trusted


def replace(edge: Edge, pem: bytes) -> None:
    """Puts another certificate in its place, while Envoy runs, and waits until it serves that one."""
    certificate = x509.load_pem_x509_certificate(pem)
    for name, content in {
        "certificate.pem": pem[pem.index(b"-----BEGIN CERT") :],
        "private.pem": pem,
    }.items():
        new = Path(edge.certificate.chain.with_name(f"{name}.new"))
        new.write_bytes(content)
        new.rename(edge.certificate.chain.with_name(name))
    host, _, port = edge.secure.rpartition(":")
    deadline = time.monotonic() + 20
    while (
        x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()) != certificate
    ):
        assert time.monotonic() < deadline, "Envoy serves the old one"
        time.sleep(0.05)
