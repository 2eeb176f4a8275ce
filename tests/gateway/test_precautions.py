"""What the edge keeps from either side: headers of the inside, other sites' pages, what is not public."""

import socket

import grpc
import httpx
import pytest

from mien.rest.v1 import compreface_pb2
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceStub
from tests.gateway.conftest import FRIEND, Edge
from tests.gateway.test_tls import trusting

SUBJECTS = "/api/v1/recognition/subjects"
STRANGER = "https://stranger.example"
LIE = "203.0.113.9"  # an address that is not the client's

# Each means something to Envoy or to a service, and is for the inside to say.
INSIDE = {
    "x-forwarded-for": LIE,
    "x-forwarded-proto": "https",
    "x-forwarded-host": LIE,
    "x-forwarded-client-cert": LIE,
    "x-real-ip": LIE,
    "forwarded": f"for={LIE}",
    "x-http-status": "418",
    "x-mien-anything": LIE,
    "x-envoy-external-address": LIE,
    "x-envoy-internal": "true",
    "x-envoy-original-path": f"/{LIE}",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-expected-rq-timeout-ms": "1",
    "x-envoy-max-retries": "9",
    "x-envoy-retry-on": "5xx",
    "x-envoy-decorator-operation": LIE,
    "x-envoy-force-trace": "true",
    "x-envoy-hedge-on-per-try-timeout": "true",
}


def test_no_client_speaks_as_the_inside_does_by_rest(edge: Edge) -> None:
    before = len(edge.classifier.calls)
    answer = httpx.post(edge.url + SUBJECTS, json={"subject": "sleep:0.1"}, headers=INSIDE)
    assert answer.status_code == 201, "a header set Envoy's time limit"
    away = httpx.post(edge.url + SUBJECTS, json={"subject": "away"}, headers=INSIDE)
    assert away.status_code == 503
    assert len(edge.classifier.calls) == before + 2, "a header made Envoy try again"
    check(edge.classifier.calls[-2])


def test_no_client_speaks_as_the_inside_does_by_grpc(edge: Edge) -> None:
    with grpc.insecure_channel(edge.address) as channel:
        request = compreface_pb2.AddSubjectRequest(subject="sleep:0.1")
        _, call = CompreFaceServiceStub(channel).AddSubject.with_call(request, metadata=list(INSIDE.items()))
    check(edge.classifier.calls[-1])
    assert not {name for name, _ in call.initial_metadata() if name.startswith("x-envoy")}


def check(metadata: dict[str, str]) -> None:
    for name, lie in INSIDE.items():
        assert metadata.get(name) != lie, name
    assert metadata["x-envoy-external-address"] == "127.0.0.1"
    assert metadata["x-forwarded-proto"] == "http"


def test_names_with_underscores_which_some_take_for_others_do_not_come_through(edge: Edge) -> None:
    httpx.post(
        edge.url + SUBJECTS, json={"subject": "Ada"}, headers={"x_api_key": LIE, "x_forwarded_for": LIE}
    )
    assert LIE not in edge.classifier.calls[-1].values()


@pytest.mark.parametrize("path", [SUBJECTS, "/v1/subjects", "/nothing"])
def test_every_answer_tells_browsers_what_not_to_do(edge: Edge, path: str) -> None:
    answers = [
        httpx.get(edge.url + path),
        httpx.post(edge.url + path, json={"subject": "refuse:no"}),
        httpx.get(f"https://{edge.secure}{path}", verify=trusting(edge)),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"
        assert not {name for name in answer.headers if name.startswith(("x-envoy", "server", "x-powered"))}


@pytest.mark.parametrize("path", ["/v1/subjects", "/core/status", "/nothing", "/admin/login"])
def test_pages_of_other_sites_call_nothing_but_compreface_s_api(edge: Edge, path: str) -> None:
    asks = {"origin": STRANGER, "access-control-request-method": "POST"}
    for answer in (
        httpx.options(edge.url + path, headers=asks),
        httpx.get(edge.url + path, headers={"origin": STRANGER}),
    ):
        assert not {name for name in answer.headers if name.startswith("access-control")}


def test_pages_of_a_site_that_the_operator_names_may_call_the_rest_too(edge: Edge) -> None:
    asks = {"origin": FRIEND, "access-control-request-method": "POST"}
    assert (
        httpx.options(edge.url + "/v1/subjects", headers=asks).headers["access-control-allow-origin"]
        == FRIEND
    )
    answer = httpx.get(edge.url + "/v1/subjects", headers={"origin": FRIEND})
    assert answer.headers["access-control-allow-origin"] == FRIEND


@pytest.mark.parametrize(
    "method",
    [
        "/mien.v1.EmbedderService/Analyze",
        "/mien.v1.EmbedderService/Embed",
        "/mien.v1.EmbedderService/GetModel",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_what_is_not_public_is_not_there(edge: Edge, method: str, secure: bool) -> None:
    before = edge.embedder.calls
    trusted = edge.certificate.chain.with_name("certificate.pem").read_bytes()
    channel = (
        grpc.secure_channel(edge.secure, grpc.ssl_channel_credentials(trusted))
        if secure
        else grpc.insecure_channel(edge.address)
    )
    with channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(method)(b"")
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert edge.embedder.calls == before


@pytest.mark.parametrize(
    "path",
    [
        *["/metrics", "/stats", "/stats/prometheus", "/clusters", "/config_dump", "/certs", "/server_info"],
        *["/ready", "/quitquitquit", "/api/v1/../../config_dump", "/api/v1/..%2f..%2fstats", "//stats"],
    ],
)
def test_envoys_own_pages_and_metrics_are_not_there(edge: Edge, path: str) -> None:
    for method in ("GET", "POST"):
        answer = httpx.request(method, edge.url + path)
        assert answer.status_code == 404, path
        assert list(answer.json()) == ["message", "code"]


def test_envoys_own_pages_are_on_loopback_alone(edge: Edge) -> None:
    assert httpx.get(f"http://127.0.0.1:{edge.admin}/ready").text.strip() == "LIVE"
    for address in addresses():
        for port in (edge.admin, int(edge.internal.rpartition(":")[2])):
            with socket.socket() as probe:
                probe.settimeout(2)
                assert probe.connect_ex((address, port)) != 0, (address, port)


def addresses() -> list[str]:
    """Of this machine, as others reach it."""
    import psutil

    every = [each for card in psutil.net_if_addrs().values() for each in card]
    return [
        each.address
        for each in every
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    ]
