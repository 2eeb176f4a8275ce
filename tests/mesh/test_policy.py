"""The policy of a service: set by a command, it counts at once, whichever replica decides."""

import base64
import json

import httpx
import pytest

from tests.mesh.conftest import Mesh, mien


@pytest.fixture
def name(key: str, mesh: Mesh) -> str:
    """Of the service that has this key, which is the newest."""
    services = json.loads(mien("services", "list", "--json", "--data", str(mesh.data)).stdout)
    (name,) = [each["name"] for each in services if each["name"].startswith("test_a_policy")]
    return str(name)


def test_a_policy_counts_at_once_in_every_replica(mesh: Mesh, key: str, name: str, obama: bytes) -> None:
    image = base64.b64encode(obama).decode()
    with httpx.Client(base_url=f"{mesh.url}/v1", headers={"x-api-key": key}, timeout=30) as client:
        client.post("/faces", json={"image": image, "subject": "Obama"}).raise_for_status()

        def decisions() -> list[dict[str, object]]:
            asked = {"image": image, "decide": True}
            answers = [client.post("/recognize", json=asked).raise_for_status().json() for _ in range(6)]
            return [answer["faces"][0]["decision"] for answer in answers]

        before = decisions()
        mien("services", "policy", name, "--false-match-rate", "0.02", "--data", str(mesh.data))
        after = decisions()
    assert {each["false_match_rate"] for each in before} == {0.001}
    assert {each["false_match_rate"] for each in after} == {0.02}
    assert {each["verdict"] for each in before + after} == {"VERDICT_MATCH"}
    assert float(str(after[0]["threshold"])) < float(str(before[0]["threshold"]))
    services = json.loads(mien("services", "list", "--json", "--data", str(mesh.data)).stdout)
    assert {each["name"]: each.get("false_match_rate") for each in services}[name] == 0.02
