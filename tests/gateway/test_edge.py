"""What Envoy makes of requests and answers, and what it keeps from either side."""

import struct
import time
from pathlib import Path

import grpc
import httpx
import pytest

from mien.launcher import gateway
from mien.launcher.certificate import self_made
from mien.launcher.gateway import Address, Places
from mien.launcher.mesh import free_ports
from mien.rest.v1 import compreface_pb2
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceStub
from mien.v1 import embedder_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.gateway.conftest import FRIEND, LOCAL, Edge, running
from tests.plain import NO_TLS

SUBJECTS = "/api/v1/recognition/subjects"
METHOD = "/mien.rest.v1.CompreFaceService/AddSubject"
ALLOWED = "DNT,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,x-api-key"


def add(edge: Edge, subject: str, **headers: str) -> httpx.Response:
    return httpx.post(edge.url + SUBJECTS, json={"subject": subject}, headers=headers, timeout=30)


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    assert list(answer.json()) == ["message", "code"], answer.text
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.status_code, answer.json()["code"], answer.json()["message"]


def test_the_status_a_service_asks_for_is_the_answers_and_grpcs_headers_stay_inside(edge: Edge) -> None:
    answer = add(edge, "Ada")
    assert (answer.status_code, answer.json()) == (201, {"subject": "Ada"})
    assert not {name for name in answer.headers if name.startswith("grpc-") or name == "x-http-status"}


@pytest.mark.parametrize(
    "message",
    ["plain", 'says "no" \\ {}', "Jürgen 山田 😀", '","details":[]}', "", "a\nb", '{"code":1,"message":"x"}'],
)
def test_an_error_is_its_message_and_its_code_whatever_they_say(edge: Edge, message: str) -> None:
    assert refusal(add(edge, f"refuse:{message}")) == (400, 43, message)


def test_native_callers_are_told_as_grpc_tells(edge: Edge) -> None:
    with grpc.insecure_channel(edge.address) as channel, pytest.raises(grpc.RpcError) as refused:
        CompreFaceServiceStub(channel).AddSubject(compreface_pb2.AddSubjectRequest(subject="refuse:Ü"))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "Ü")
    assert "grpc-status-details-bin" in dict(refused.value.trailing_metadata())


def test_headers_of_our_own_pass_neither_in_nor_out(edge: Edge) -> None:
    with grpc.insecure_channel(edge.address) as channel:
        answer, call = CompreFaceServiceStub(channel).AddSubject.with_call(
            compreface_pb2.AddSubjectRequest(subject="Ada"), metadata=[("x-http-status", "500")]
        )
    assert answer.subject == "Ada"
    assert "x-http-status" not in dict(call.initial_metadata())
    assert "x-http-status" not in edge.classifier.calls[-1]
    assert add(edge, "Ada", **{"x-http-status": "418"}).status_code == 201
    assert "x-http-status" not in edge.classifier.calls[-1]


def test_a_query_is_read_as_browsers_and_sdks_write_it(edge: Edge) -> None:
    faces = f"{edge.url}/api/v1/recognition/faces"
    for query, name in {
        "?subject=Ada+Lovelace": "Ada Lovelace",
        "?&subject=J%C3%BCrgen": "Jürgen",
        "?subject=a%2Bb&unknown=1": "a+b",
    }.items():
        assert httpx.delete(faces + query).json() == {"deleted": len(name)}


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/api/v1/recognition/nothing", "/admin", METHOD, "/healthz"]
)
def test_paths_that_are_not_there_reach_no_service(edge: Edge, path: str) -> None:
    before = len(edge.classifier.calls)
    assert refusal(httpx.get(edge.url + path))[:2] == (404, 0)
    assert len(edge.classifier.calls) == before


def test_ten_megabytes_pass_as_a_file_and_as_base64_and_thirty_do_not(edge: Edge) -> None:
    recognize = f"{edge.url}/api/v1/recognition/recognize"
    assert httpx.post(recognize, files={"file": bytes(10 << 20)}, timeout=30).status_code == 200
    base64 = b'{"file":"' + b"A" * (10 * (1 << 20) * 4 // 3) + b'"}'
    json = {"content-type": "application/json"}
    assert httpx.post(recognize, content=base64, headers=json, timeout=30).status_code == 200
    before = len(edge.classifier.calls)
    status, code, message = refusal(httpx.post(recognize, files={"file": bytes(30 << 20)}, timeout=30))
    assert (status, code) == (413, 0)
    assert "too large" in message
    assert len(edge.classifier.calls) == before


def test_a_preflight_is_answered_as_compreface_does_and_reaches_no_service(edge: Edge) -> None:
    before = len(edge.classifier.calls)
    asks = {"origin": "https://example.org", "access-control-request-method": "POST"}
    answer = httpx.options(edge.url + SUBJECTS, headers=asks)
    assert answer.status_code in (200, 204)
    told = answer.headers
    assert told["access-control-allow-origin"] in ("*", "https://example.org")
    assert told["access-control-allow-methods"] == "GET, POST, OPTIONS, PUT, DELETE"
    assert set(told["access-control-allow-headers"].split(",")) >= set(ALLOWED.split(","))
    assert told["access-control-max-age"] == "1728000"
    assert "access-control-allow-credentials" not in told
    assert len(edge.classifier.calls) == before


def test_answers_and_errors_may_be_read_by_pages_of_other_sites(edge: Edge) -> None:
    for subject in ("Ada", "refuse:no"):
        answer = add(edge, subject, origin="https://example.org")
        assert answer.headers["access-control-allow-origin"] in ("*", "https://example.org")


def test_browsers_call_by_grpc_web(edge: Edge) -> None:
    message = compreface_pb2.AddSubjectRequest(subject="Ada").SerializeToString()
    answer = httpx.post(
        edge.url + METHOD,
        content=b"\0" + struct.pack(">I", len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1", "origin": FRIEND},
    )
    assert answer.status_code == 200
    length = struct.unpack(">I", answer.content[1:5])[0]
    assert compreface_pb2.AddSubjectResponse.FromString(answer.content[5 : 5 + length]).subject == "Ada"
    assert b"grpc-status:0" in answer.content[5 + length :]
    assert "grpc-status" in answer.headers["access-control-expose-headers"]


def test_the_embedder_is_reached_from_inside_alone(edge: Edge) -> None:
    with grpc.insecure_channel(edge.address) as channel, pytest.raises(grpc.RpcError) as refused:
        EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest())
    assert refused.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)
    assert edge.embedder.calls == 0
    with grpc.insecure_channel(edge.internal) as channel:
        EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest())
    assert edge.embedder.calls == 1


def test_a_call_that_reached_a_classifier_is_not_sent_again_but_one_of_an_embedder_is(edge: Edge) -> None:
    before = len(edge.classifier.calls)
    assert add(edge, "away").status_code == 503
    assert len(edge.classifier.calls) == before + 1
    before = edge.embedder.calls
    with grpc.insecure_channel(edge.internal) as channel, pytest.raises(grpc.RpcError) as refused:
        EmbedderServiceStub(channel).Analyze(embedder_pb2.AnalyzeRequest(image=b"x"))
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert edge.embedder.calls == before + 4


def test_a_call_that_takes_too_long_is_ended(edge: Edge) -> None:
    # Envoy and the service both watch the deadline: whoever is first, callers are told the same.
    for _ in range(5):
        status, code, message = refusal(add(edge, "sleep:1", **{"grpc-timeout": "300m"}))
        assert (status, code) == (504, 0)
        assert "took too long" in message
    with grpc.insecure_channel(edge.address) as channel, pytest.raises(grpc.RpcError) as refused:
        CompreFaceServiceStub(channel).AddSubject(
            compreface_pb2.AddSubjectRequest(subject="sleep:3"), timeout=0.3
        )
    assert refused.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_without_a_classifier_callers_are_told_to_try_again(tmp_path: Path) -> None:
    public, secure, internal, admin, nowhere = (Address(LOCAL, port) for port in free_ports(5))
    places = Places(public, secure, internal, admin, [nowhere], [nowhere], [nowhere])
    gateway.write(places, self_made(tmp_path), tmp_path / "envoy.json")
    with running(tmp_path / "envoy.json"):
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = httpx.get(f"http://{public}{SUBJECTS}")
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        status, code, message = refusal(answer)
        assert (status, code) == (503, 0)
        assert "try again" in message
        with grpc.insecure_channel(str(public)) as channel, pytest.raises(grpc.RpcError) as refused:
            CompreFaceServiceStub(channel).ListSubjects(compreface_pb2.ListSubjectsRequest())
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "{" not in (refused.value.details() or "")


def test_a_classifier_is_told_the_address_that_envoy_saw_whatever_the_caller_says(edge: Edge) -> None:
    forged = {
        "x-forwarded-for": "192.0.2.2",
        "x-envoy-external-address": "192.0.2.3",
    }
    transport = httpx.HTTPTransport(local_address="127.0.0.9", verify=NO_TLS)
    with httpx.Client(transport=transport, headers=forged) as client:
        client.post(edge.url + SUBJECTS, json={"subject": "Ada"})
    assert edge.classifier.calls[-1]["x-envoy-external-address"] == "127.0.0.9"
    request = compreface_pb2.AddSubjectRequest(subject="Ada")
    with grpc.insecure_channel(edge.address) as channel:
        CompreFaceServiceStub(channel).AddSubject(request, metadata=[*forged.items()])
    assert edge.classifier.calls[-1]["x-envoy-external-address"] == LOCAL
