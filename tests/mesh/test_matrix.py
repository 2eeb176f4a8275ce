"""Every RPC and every REST path, with every kind of key that must not open it: each is refused as documented.

The list is the contract's own, so what is added to it is asked too.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import MethodDescriptorProto
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from classifier.rules import Rule, rule_for
from mien.rest.v1 import compreface_pb2  # noqa: F401 (its rules are asked for)
from mien.v1 import gallery_pb2, recognition_pb2  # noqa: F401 (likewise)
from store.keys import SCOPES, create_key, revoke_key
from store.services import TYPES, create_service
from tests.mesh.conftest import Mesh
from tests.plain import NO_TLS
from tests.test_contract import services

COMPREFACE = "mien.rest.v1.CompreFaceService"


class Rpc(NamedTuple):
    service: str
    method: MethodDescriptorProto

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method.name}"

    @property
    def rule(self) -> Rule | None:
        return rule_for(self.path)

    def __str__(self) -> str:
        return f"{self.service}.{self.method.name}"


RPCS = [
    Rpc(name, method)
    for name, service in services()
    # Those for people who sign in have a matrix of their own: tests/admin/test_matrix.py.
    if name not in ("mien.v1.EmbedderService", "mien.v1.AccountService", "mien.v1.ApplicationService")
    for method in service.method
]
SHUT = [rpc for rpc in RPCS if rpc.rule]
CASES = ["no credential", "of another service", "of nobody", "expired", "revoked", "without the scope"]


class Keys:
    """Of each kind, for each type of service."""

    def __init__(self, url: str) -> None:
        self._made: dict[tuple[str, str], str] = {}
        with psycopg.connect(url, autocommit=True) as connection:
            for kind in TYPES:
                service, _ = create_service(connection, f"{kind} {uuid4()}"[:50], kind)
                for scope in SCOPES[:-1]:
                    rest = {*SCOPES[:-1]} - {scope}
                    _, self._made[kind, f"without {scope}"] = create_key(
                        connection, service.id, f"all but {scope}", rest
                    )
                    _, self._made[kind, scope] = create_key(connection, service.id, scope, [scope])
                late, self._made[kind, "expired"] = create_key(
                    connection, service.id, "expired", lifetime=timedelta(days=1)
                )
                connection.execute("UPDATE keys SET expires_at = now() WHERE id = %s", (late.id,))
                _, self._made[kind, "revoked"] = create_key(connection, service.id, "revoked")
                revoke_key(connection, service.id, "revoked")

    def of(self, case: str, rule: Rule) -> str | None:
        match case:
            case "no credential":
                return None
            case "of nobody":
                return str(uuid4())
            case "of another service":
                return self._made["detection" if rule.type != "detection" else "recognition", rule.scope]
            case "without the scope":
                return self._made[rule.type, f"without {rule.scope}"]
            case "good":
                return self._made[rule.type, rule.scope]
            case _:
                return self._made[rule.type, case]


@pytest.fixture(scope="module")
def keys(mesh: Mesh) -> Keys:
    return Keys(mesh.state["database_url"])


@pytest.fixture(scope="module")
def addresses() -> Iterator[str]:
    """Of loopback: bad keys are counted by the address they come from."""
    return (f"127.7.{number >> 8}.{number & 255}" for number in count(1))


def documented(rpc: Rpc, case: str, key: str | None) -> tuple[int, dict[str, Any]]:
    """The HTTP status and what the body says, as docs/keys.md and docs/errors.md have it."""
    assert rpc.rule
    kind, scope = rpc.rule
    refusals: dict[str, tuple[int, dict[str, Any]]] = {
        "no credential": (400, {"code": 20, "message": "Missing header: x-api-key"}),
        "without the scope": (
            403,
            {"code": 0, "message": f"this API key is not for that; send one with the scope {scope}"},
        ),
        "unknown": (
            404,
            {"code": 10, "message": f"{kind.capitalize()} service with API Key {key} not found"},
        ),
    }
    if rpc.service != COMPREFACE:
        refusals = {
            "no credential": (401, {"reason": "API_KEY_MISSING", "metadata": {}}),
            "without the scope": (403, {"reason": "API_KEY_SCOPE", "metadata": {"scope": scope}}),
            "unknown": (401, {"reason": "API_KEY_UNKNOWN", "metadata": {"service_type": kind}}),
        }
    return refusals.get(case, refusals["unknown"])


def asked(mesh: Mesh, rpc: Rpc, key: str | None, address: str) -> httpx.Response:
    """The answer of its REST path to a request that has nothing else but the right form."""
    rule = rpc.method.options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = re.sub(r"\{\w+\}", str(uuid4()), getattr(rule, verb))
    stream = rpc.method.client_streaming
    with httpx.Client(
        transport=httpx.HTTPTransport(local_address=address, verify=NO_TLS), timeout=30
    ) as client:
        return client.request(
            verb,
            mesh.url + path,
            content=(b"[]" if stream else b"{}") if rule.body else None,
            headers={"content-type": "application/json"} | ({"x-api-key": key} if key else {}),
        )


@pytest.mark.parametrize("rpc", SHUT, ids=str)
def test_each_rest_path_is_shut_to_each_kind_of_key_in_the_documented_words(
    mesh: Mesh, keys: Keys, addresses: Iterator[str], rpc: Rpc
) -> None:
    assert rpc.rule
    address, bodies = next(addresses), {}
    for case in CASES:
        key = keys.of(case, rpc.rule)
        answer = asked(mesh, rpc, key, address)
        body = answer.json()
        body = body[0] if isinstance(body, list) else body
        if rpc.service == COMPREFACE:
            told = body
        else:
            told = {name: body["details"][0][name] for name in ("reason", "metadata")}
        assert (answer.status_code, told) == documented(rpc, case, key), case
        bodies[case] = (answer.status_code, answer.text.replace(str(key), "KEY"))
    assert len({bodies[case] for case in CASES[1:5]}) == 1, "they are told apart"
    assert asked(mesh, rpc, keys.of("good", rpc.rule), address).status_code not in (401, 403)


@pytest.mark.parametrize("rpc", [rpc for rpc in SHUT if rpc.service != COMPREFACE], ids=str)
def test_each_rpc_is_shut_to_each_kind_of_key(
    mesh: Mesh, keys: Keys, addresses: Iterator[str], rpc: Rpc
) -> None:
    assert rpc.rule
    address = ("x-envoy-external-address", next(addresses))
    with grpc.insecure_channel(mesh.address_of("classifier-1")) as channel:
        for case in (*CASES, "good"):
            key = keys.of(case, rpc.rule)
            metadata = [address, *([("x-api-key", key)] if key else [])]
            try:
                if rpc.method.client_streaming:
                    list(channel.stream_stream(rpc.path)(iter([]), metadata=metadata))
                else:
                    channel.unary_unary(rpc.path)(b"", metadata=metadata)
                told = None
            except grpc.RpcError as error:
                told = rpc_status.from_call(error)
            if case == "good":
                assert told is None or told.code not in (7, 16)
            else:
                info = ErrorInfo()
                assert told
                assert told.details[0].Unpack(info)
                status, wanted = documented(rpc, case, key)
                assert {"reason": info.reason, "metadata": dict(info.metadata)} == wanted
                assert told.code == {401: 16, 403: 7}[status]


@pytest.mark.parametrize("rpc", [rpc for rpc in RPCS if not rpc.rule], ids=str)
def test_what_is_open_to_anybody_looks_at_no_key(
    mesh: Mesh, keys: Keys, addresses: Iterator[str], rpc: Rpc
) -> None:
    address = next(addresses)
    answers = [
        asked(mesh, rpc, keys.of(case, Rule("recognition", "manage")), address) for case in (*CASES, "good")
    ]
    told = [
        answer.json() if "json" in answer.headers["content-type"] else answer.content for answer in answers
    ]
    assert {answer.status_code for answer in answers} <= {200, 400, 403}
    assert all(each == told[0] for each in told)


@pytest.mark.parametrize("case", CASES[1:])
def test_a_key_in_a_path_that_opens_nothing_is_answered_as_an_image_that_is_not_there(
    mesh: Mesh, keys: Keys, addresses: Iterator[str], rest: httpx.Client, obama: bytes, case: str
) -> None:
    key = str(keys.of(case, Rule("recognition", "manage")))
    face = rest.post("/faces?subject=Ada", files={"file": ("a.jpg", obama)}).json()["image_id"]
    with httpx.Client(
        transport=httpx.HTTPTransport(local_address=next(addresses), verify=NO_TLS),
        base_url=f"{mesh.url}/api/v1/static",
    ) as client:
        mine = client.get(f"/{rest.headers['x-api-key']}/images/{face}")
        assert mine.content == obama
        for each in (face, uuid4()):
            answer = client.get(f"/{key}/images/{each}")
            assert (answer.status_code, answer.content) == (200, b"")
            assert {*answer.headers} == {*mine.headers}
