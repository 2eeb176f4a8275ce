"""`mien keys`, at a mesh that runs."""

import json
import subprocess
import sys
import time
from uuid import UUID, uuid4

import httpx
import pytest

from tests.mesh.conftest import Mesh
from tests.plain import NO_TLS


def keys(mesh: Mesh, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mien", "keys", *arguments, "--data", str(mesh.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def listing(mesh: Mesh, key: str) -> int:
    return httpx.get(
        f"{mesh.url}/api/v1/recognition/subjects", headers={"x-api-key": key}, verify=NO_TLS
    ).status_code


def test_a_key_is_made_listed_renamed_and_revoked(mesh: Mesh) -> None:
    service = f"friends {uuid4()}"[:40]
    mesh.key(service)
    limits = ("--scope", "enrol", "--scope", "manage", "--days", "2", "--rate", "5", "--max-faces", "9")
    key = keys(mesh, "create", service, "door", *limits).stdout.strip()
    assert str(UUID(key)) == key
    assert listing(mesh, key) == 200
    assert keys(mesh, "rename", service, "door", "gate").returncode == 0
    listed = keys(mesh, "list", service).stdout
    assert "enrol, manage  5/s, 9 faces" in listed
    assert key not in listed
    first, gate = json.loads(keys(mesh, "list", service, "--json").stdout)
    assert (first["name"], first["scopes"], "expires_at" in first) == ("first", ["all"], False)
    assert gate["id"] in listed, "it is cut off"
    assert (gate["name"], gate["rate"], gate["burst"], gate["max_faces"]) == ("gate", 5, 5, 9)
    assert keys(mesh, "revoke", service, gate["id"]).returncode == 0
    deadline = time.monotonic() + 10
    while listing(mesh, key) != 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert key not in "\n".join(mesh.log)


@pytest.mark.parametrize("name", ["[door] a", "[/x]", "[bold]gate"])
def test_a_name_is_shown_as_it_is(mesh: Mesh, name: str) -> None:
    service = f"friends {uuid4()}"[:40]
    mesh.key(service)
    assert keys(mesh, "create", service, name, "--scope", "manage").returncode == 0
    listed = keys(mesh, "list", service)
    assert name in listed.stdout, listed.stderr


def test_what_cannot_be_is_told_in_a_line(mesh: Mesh) -> None:
    service = f"friends {uuid4()}"[:40]
    mesh.key(service)
    for wrong, complaint in {
        ("revoke", service, "gate"): "the service has no key named 'gate'",
        ("list", "nobody"): "there is no service named 'nobody'",
        ("create", service, "desk", "--scope", "own"): "one or more of the scopes recognise, enrol, manage",
    }.items():
        refused = keys(mesh, *wrong)
        assert refused.returncode == 1
        assert complaint in refused.stderr
        assert "Traceback" not in refused.stderr
