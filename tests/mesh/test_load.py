"""CompreFace's load test, in small: what it measures depends on the machine, errors do not."""

from bench.load import measure
from bench.mesh import Running
from tests.mesh.conftest import Mesh


def test_compreface_s_load_test_meets_no_error(mesh: Mesh) -> None:
    running = Running(mesh.address, mesh.address_of("embedder-1"), str(mesh.data), mesh.key("load"))
    rows = {row["kind"]: row for row in measure(running, seconds=1.0)}
    assert list(rows) == ["detect", "recognize", "verify", "verify a face", "all"]
    assert {kind: row["errors"] for kind, row in rows.items()} == dict.fromkeys(rows, 0)
    assert all(row["a second"] for row in rows.values())
