"""Every RPC and its REST path, called by all who may not: each is refused as docs/roles.md says."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from prometheus_client import CollectorRegistry

from admin.callers import Callers
from admin.rules import rule_of
from mien.v1 import account_pb2, application_pb2
from serving.metrics import CallMetrics
from serving.refusals import Refusals
from store.database import Database
from tests.admin.conftest import Admin, Person
from tests.mesh.test_refusals import reason
from tests.plain import NO_TLS

METHODS = [
    *account_pb2.DESCRIPTOR.services_by_name["AccountService"].methods,
    *application_pb2.DESCRIPTOR.services_by_name["ApplicationService"].methods,
]
ROW = re.compile(r"^\| `(\w+)` \| `(\w+) (\S+)` \| (.+) \|$", re.MULTILINE)
DOCUMENT = (Path(__file__).parents[2] / "docs/roles.md").read_text()
WHO = {name: who for name, _, _, who in ROW.findall(DOCUMENT)}

# Who has which standing, and what the rest is told: "sign in", "not there" or "not allowed". Written down
# again, so that a mistake in admin/rules.py is none here.
STRANGERS = ("other owner", "other administrator", "other user", "no member")
MEMBERS = ("user", "administrator", "owner")
OUTSIDERS: dict[str, dict[str, str]] = {
    "anybody": {},
    "signed in": {},
    "administrator": dict.fromkeys([*STRANGERS, *MEMBERS], "not allowed"),
    "oneself, administrator": dict.fromkeys([*STRANGERS, *MEMBERS], "not allowed"),
    "member": dict.fromkeys(STRANGERS, "not there"),
    "application's administrator": dict.fromkeys(STRANGERS, "not there") | {"user": "not allowed"},
    "application's owner": dict.fromkeys(STRANGERS, "not there")
    | {"user": "not allowed", "administrator": "not allowed"},
}
OUTSIDERS["oneself, application's owner"] = OUTSIDERS["application's owner"]
REASONS = {
    "sign in": "SIGN_IN_REQUIRED",
    "not there": "APPLICATION_NOT_FOUND",
    "not allowed": "ROLE_INSUFFICIENT",
}


class Stage(NamedTuple):
    app: str
    people: dict[str, Person]
    fields: dict[str, str]  # of every request that has them

    def told(self, refusal: str) -> tuple[int, int]:
        return {"sign in": (401, 0), "not there": (404, 2), "not allowed": (400, 9)}[refusal]


@pytest.fixture(scope="module")
def stage(admin: Admin, owner: Person, boss: Person) -> Stage:
    """An application with a member of each role, another with its own, and who has none."""
    people = {"no member": admin.person("none"), "expired": admin.person("expired")}
    admin.sql("UPDATE sessions SET access_expires_at = now() WHERE user_id = %s", people["expired"].id)
    apps = []
    for prefix in ("", "other "):
        members = {f"{prefix}{role}": admin.person(role) for role in MEMBERS}
        apps.append(admin.application(members[f"{prefix}owner"], boss))
        for role in ("user", "administrator"):
            admin.join(apps[-1], members[f"{prefix}{role}"], role)
        people |= members
    service = admin.call("POST", f"/app/{apps[0]}/model", boss, json={"name": "s", "type": "DETECTION"})
    target = admin.person("target")
    fields = {"app_id": apps[0], "model_id": service.json()["id"], "user_id": target.id}
    people["garbage"] = Person("", "", "garbage")
    return Stage(apps[0], people, fields)


def refusals(method: MethodDescriptor) -> Iterator[tuple[str | None, str]]:
    """Who is refused, None without any credential, and how."""
    who = WHO[method.name]
    if who != "anybody":
        for stranger in (None, "garbage", "expired"):
            yield stranger, "sign in"
    yield from OUTSIDERS[who].items()


@cache
def client() -> httpx.Client:
    return httpx.Client(verify=NO_TLS, timeout=30)


def by_rest(admin: Admin, method: MethodDescriptor, stage: Stage, who: Person | None) -> httpx.Response:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = re.sub(r"{(\w+)}", lambda name: stage.fields[name[1]], getattr(rule, verb))
    body = {"json": {}} if rule.body else {}
    client().cookies.clear()
    return client().request(
        verb.upper(),
        admin.url + path,
        headers=who.bearer if who else {},
        **body,  # type: ignore[arg-type]
    )


def by_grpc(channel: grpc.Channel, method: MethodDescriptor, stage: Stage, who: Person | None) -> Any:
    request = message_factory.GetMessageClass(method.input_type)()
    for name, value in stage.fields.items():
        if name in method.input_type.fields_by_name:
            setattr(request, name, value)
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = kind(
        f"/{method.containing_service.full_name}/{method.name}", lambda each: each.SerializeToString()
    )
    metadata = [*who.bearer.items()] if who else []
    answer = call(request, metadata=metadata, timeout=30)
    return list(answer) if method.server_streaming else answer


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_who_may_not_is_refused(
    admin: Admin, channel: grpc.Channel, stage: Stage, method: MethodDescriptor
) -> None:
    for name, refusal in refusals(method):
        who = stage.people[name] if name else None
        answer = by_rest(admin, method, stage, who)
        assert (answer.status_code, answer.json()["code"]) == stage.told(refusal), (name, answer.text)
        assert list(answer.json()) == ["message", "code"]
        with pytest.raises(grpc.RpcError) as refused:
            by_grpc(channel, method, stage, who)
        assert reason(refused.value) == REASONS[refusal], name


def test_every_rpc_has_a_rule_and_the_table_has_every_rpc() -> None:
    for method in METHODS:
        assert rule_of(f"/{method.containing_service.full_name}/{method.name}")
    assert {method.name for method in METHODS} == WHO.keys()
    assert set(WHO.values()) == OUTSIDERS.keys()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_not_yours_and_not_there_are_told_the_same(
    admin: Admin, stage: Stage, method: MethodDescriptor
) -> None:
    """Word for word, but for the id that was asked for."""
    if "app_id" not in method.input_type.fields_by_name:
        return
    stranger = stage.people["other owner"]
    answers = []
    for app in (stage.app, "00000000-0000-0000-0000-000000000000", "junk"):
        there = stage._replace(fields=stage.fields | {"app_id": app})
        answer = by_rest(admin, method, there, stranger)
        answers.append((answer.status_code, answer.text.replace(app, "")))
    assert answers[0] == answers[1] == answers[2]


async def test_an_rpc_without_a_rule_stays_shut(database: Database) -> None:
    entered: list[bytes] = []

    async def enter(request: bytes, _: object) -> bytes:
        entered.append(request)
        return b""

    server = grpc.aio.server(interceptors=[Refusals(CallMetrics(CollectorRegistry())), Callers(database)])
    methods = {
        "Enter": grpc.unary_unary_rpc_method_handler(enter),
        "Analyze": grpc.unary_unary_rpc_method_handler(enter),
    }
    for service in ("mien.v1.NewService", "mien.v1.EmbedderService"):
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for path in ("/mien.v1.NewService/Enter", "/mien.v1.EmbedderService/Analyze"):
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(path)(b"")
    await server.stop(None)
    assert not entered
