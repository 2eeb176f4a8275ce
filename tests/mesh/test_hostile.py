"""All hostile clients of `python -m bench.hostile` at once: others are served, and all is well afterwards.

What they cost others in time depends on the machine, and is measured there: SECURITY.md.
"""

import json
import socket
import time

import httpx
import psutil
import pytest

from bench.attacks import ATTACKS
from bench.hostile import Honest, Memory, attackers
from tests.mesh.conftest import Mesh, mien

SECONDS = 13.0  # Envoy waits for TLS for 10
MOST = 400 << 20  # bytes that a process may take more than before


def active(mesh: Mesh) -> int:
    """Connections to the public listeners."""
    port = mesh.state["ports"]["admin"]
    stats = httpx.get(f"http://127.0.0.1:{port}/stats?filter=^http.public.downstream_cx_active$").text
    return int(stats.rpartition(":")[2])


@pytest.mark.timeout(180)
def test_others_are_served_beside_hostile_clients_and_all_is_well_after(
    mesh: Mesh, key: str, obama: bytes
) -> None:
    honest, memory = Honest(mesh.address, key, obama), Memory(mesh.data)
    family = children(mesh)
    with memory.watched():
        time.sleep(0.5)
    before = memory.most
    secure = ("127.0.0.1", mesh.state["ports"]["secure"])
    silent = [socket.create_connection(secure, 10) for _ in range(20)]
    with memory.watched(), honest.calling():
        attack = attackers(mesh.address, ATTACKS, SECONDS, nice=0)
        told = dict(zip(ATTACKS, (json.loads(each.communicate()[0]) for each in attack), strict=True))

    assert {kind for kind, _, status in honest.calls if status == 200} == {"photograph", "list"}
    assert {status for _, _, status in honest.calls} == {200}
    assert {name for name, most in memory.most.items() if most > before[name] + MOST} == set(), memory.most

    assert told["endless_stream"]["413"]
    assert told["large_message"]["413"]
    assert told["connections"]["opened"] == 10_000
    assert told["header_flood"]["431"]
    assert told["header_flood"]["ended by the server"]  # of headers that go on and on
    for flood in ("reset_flood", "frame_flood"):
        assert told[flood].get("ended by the server", 0) + told[flood].get("cut off", 0), told[flood]
    for each in silent:
        each.settimeout(5)
        assert each.recv(1) == b"", "it was still waited for"
        each.close()

    deadline = time.monotonic() + 20
    while active(mesh) > 50:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert children(mesh) == family
    mien("status", "--data", str(mesh.data))
    after = Honest(mesh.address, key, obama)
    with after.calling():
        time.sleep(1)
    assert {status for _, _, status in after.calls} == {200}


def children(mesh: Mesh) -> set[int]:
    """The processes of the mesh; not those of Postgres, which come and go."""
    return {child.pid for child in psutil.Process(mesh.process.pid).children()}
