"""Promises that hold between files, checked by machine."""

import ast
import importlib
import re
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from admin import errors as admin_errors
from admin.status import NoDemo
from classifier.rest import errors as compreface_errors
from hatch_build import check_rules, compile_protos
from mien.v1 import access_pb2, errors_pb2
from serving.faults import Fault

ROOT = Path(__file__).parents[1]
PACKAGES = ("mien", "serving", "store", "embedder", "classifier", "admin")

# What the files of a package may import of ours. Services meet in the contract alone; mien.cli and
# mien.launcher stand on top of all.
MAY_IMPORT = {
    "serving": {"mien.v1"},
    "store": {"mien.v1", "serving"},
    "embedder": {"mien.v1", "serving"},
    "classifier": {"mien.v1", "mien.rest", "serving", "store"},
    "admin": {"mien.v1", "serving", "store"},
}


# As docs/roles.md calls those whom the contract names.
WHO = {
    access_pb2.ACCESS_ANYBODY: "anybody",
    access_pb2.ACCESS_SIGNED_IN: "signed in",
    access_pb2.ACCESS_ADMINISTRATOR: "administrator",
    access_pb2.ACCESS_SELF_OR_ADMINISTRATOR: "oneself, administrator",
    access_pb2.ACCESS_MEMBER: "member",
    access_pb2.ACCESS_APPLICATION_ADMINISTRATOR: "application's administrator",
    access_pb2.ACCESS_APPLICATION_OWNER: "application's owner",
    access_pb2.ACCESS_MEMBER_SELF_OR_APPLICATION_OWNER: "oneself, application's owner",
}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if "_pb2" not in path.name)


def services() -> Iterator[tuple[str, descriptor_pb2.ServiceDescriptorProto]]:
    """The services of our packages, with their full names, as Envoy gets to see them."""
    every = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "mien/descriptor.pb").read_bytes())
    for file in every.file:
        if file.package.startswith("mien."):
            yield from ((f"{file.package}.{service.name}", service) for service in file.service)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_downwards(package: str) -> None:
    allowed = {package, *MAY_IMPORT[package]}
    for path in (ROOT / package).rglob("*.py"):
        for name in imported(path):
            assert any(f"{name}.".startswith(f"{good}.") for good in allowed), f"{path} imports {name}"


def test_the_sdk_imports_nothing_of_the_servers() -> None:
    for path in (ROOT / "mien").glob("*.py"):
        assert {name.split(".")[0] for name in imported(path)} <= {"mien"}, path


def test_each_error_reason_has_one_fault() -> None:
    reasons = sorted(fault.reason for fault in Fault.__subclasses__())
    assert reasons == [number for number in errors_pb2.ErrorReason.values() if number]


def test_clients_of_compreface_are_told_of_every_fault() -> None:
    """By the classifier, or by the admin service, of what can happen there."""
    assert set(Fault.__subclasses__()) == set(compreface_errors._TOLD) | set(admin_errors._TOLD) - {NoDemo}


def test_each_rpc_of_a_public_service_has_a_rest_path() -> None:
    for name, service in services():
        if name != "mien.v1.EmbedderService":
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                assert rule.WhichOneof("pattern"), f"{name}.{method.name}"


def test_envoy_transcodes_every_public_service_and_no_other() -> None:
    config = yaml.safe_load((ROOT / "envoy/envoy.yaml").read_text())
    told = [
        each for one in find(config, "grpc_json_transcoder.v3.GrpcJsonTranscoder") for each in one["services"]
    ]
    public = {name for name, _ in services()} - {"mien.v1.EmbedderService"}
    assert sorted(told) == sorted([*public, *public])  # with TLS, and without


def find(value: object, kind: str) -> Iterator[dict[str, Any]]:
    """Every mapping in a config whose @type ends with `kind`."""
    if isinstance(value, dict):
        if str(value.get("@type", "")).endswith(kind):
            yield value
        for inner in value.values():
            yield from find(inner, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from find(inner, kind)


@pytest.mark.parametrize("service", ["embedder", "classifier", "admin", "store", "mien.launcher"])
def test_each_setting_is_documented(service: str) -> None:
    documented = (ROOT / "docs/settings.md").read_text()
    for field in fields(importlib.import_module(f"{service}.settings").Settings):
        assert f"`{field.metadata['name']}`" in documented


def test_each_error_reason_is_documented() -> None:
    documented = (ROOT / "docs/errors.md").read_text()
    for name in errors_pb2.ErrorReason.keys()[1:]:
        assert f"`{name.removeprefix('ERROR_REASON_')}`" in documented


def test_the_scope_of_each_rpc_is_documented() -> None:
    rows = re.findall(
        r"^\| (?:`(\w+)`|none, open to anybody) \| (.*) \| (.*) \|$",
        (ROOT / "docs/keys.md").read_text(),
        re.MULTILINE,
    )
    documented = {
        (package, name): scope
        for scope, native, rest in rows
        for package, names in (("mien.v1", native), ("mien.rest.v1", rest))
        for name in re.findall(r"`(\w+)`", names)
    }
    told = {}
    for full_name, service in services():
        if full_name not in (  # those inside the mesh, and those for people who sign in: docs/roles.md
            "mien.v1.EmbedderService",
            *("mien.v1.AccountService", "mien.v1.ApplicationService"),
        ):
            for method in service.method:
                scope = access_pb2.Scope.Name(method.options.Extensions[access_pb2.scope])
                word = scope.removeprefix("SCOPE_").lower().replace("unspecified", "")
                told[full_name.rpartition(".")[0], method.name] = word
    assert documented == told


def test_an_rpc_without_a_rule_breaks_the_build(tmp_path: Path) -> None:
    def build(access: str) -> None:
        (tmp_path / "proto/mien/v1/new.proto").write_text(
            'syntax = "proto3"; package mien.v1; import "mien/v1/access.proto";'
            " service NewService { rpc Enter(Ask) returns (Ask) { " + access + " } } message Ask {}"
        )
        compile_protos(tmp_path)
        check_rules(tmp_path)

    (tmp_path / "proto/mien/v1").mkdir(parents=True)
    (tmp_path / "mien").mkdir()
    shutil.copy(ROOT / "proto/mien/v1/access.proto", tmp_path / "proto/mien/v1")
    build("option (access) = ACCESS_DETECTION; option (scope) = SCOPE_RECOGNISE;")
    build("option (access) = ACCESS_ANYBODY;")
    for access in ("", "option (access) = ACCESS_DETECTION;", "option (scope) = SCOPE_RECOGNISE;"):
        with pytest.raises(SystemExit, match=r"mien\.v1\.NewService\.Enter does not say who may call it"):
            build(access)


def test_each_rpc_is_documented() -> None:
    documented = (ROOT / "docs/api.md").read_text()
    for name, service in services():
        for method in service.method:
            assert f"`{method.name}`" in documented, f"{name}.{method.name}"


def test_what_roles_may_is_documented_as_the_contract_has_it() -> None:
    documented = (ROOT / "docs/roles.md").read_text()
    for name in ("AccountService", "ApplicationService"):
        for method in dict(services())[f"mien.v1.{name}"].method:
            rule = method.options.Extensions[annotations_pb2.http]
            verb = rule.WhichOneof("pattern")
            who = WHO[method.options.Extensions[access_pb2.access]]
            assert f"| `{method.name}` | `{verb.upper()} {getattr(rule, verb)}` | {who} |" in documented


def test_each_command_is_documented() -> None:
    import typer.main

    from mien.cli.commands import app

    documented = (ROOT / "README.md").read_text() + (ROOT / "docs/commands.md").read_text()
    for name in commands(typer.main.get_command(app), "mien"):
        assert f"`{name}" in documented, name


def commands(command: object, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name
    else:
        for word, each in inner.items():
            yield from commands(each, f"{name} {word}")


def test_files_are_small_and_say_what_they_are_for() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sources()}
    assert statistics.median(lengths.values()) < 100
    assert {path.name: length for path, length in lengths.items() if length > 300} == {}
    assert [path for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_file_is_a_grab_bag() -> None:
    names = {path.stem for path in sources()}
    assert not names & {"utils", "util", "helpers", "common", "base", "manager", "misc"}
