"""The metrics of a whole mesh: where people find them, and where they are not."""

import re
import subprocess
import sys
import time

import httpx

from tests.mesh.conftest import Mesh, mien
from tests.scrapes import scrape
from tests.test_metrics import DOCUMENT, ROW

PROCESSES = {"embedder-1", "embedder-2", "classifier-1", "classifier-2", "admin-1"}
DOCUMENTED = {name for name, *_ in ROW.findall(DOCUMENT)}


def total(mesh: Mesh, name: str, **labels: str) -> float:
    """Of all processes."""
    return sum(scrape(mesh.state["metrics"][process])(name, **labels) for process in PROCESSES)


def test_each_process_serves_metrics_that_are_documented(mesh: Mesh) -> None:
    assert mesh.state["metrics"].keys() == PROCESSES | {"envoy"}
    for process in PROCESSES:
        names = scrape(mesh.state["metrics"][process]).names
        assert names <= DOCUMENTED
        assert "mien_refusals_total" in names
    counted = httpx.get(mesh.state["metrics"]["envoy"]).text
    assert re.search(r'envoy_cluster_upstream_rq_total\{envoy_cluster_name="embedder"\} \d', counted)


def test_a_photograph_counts_on_its_way(mesh: Mesh, rest: httpx.Client, obama: bytes) -> None:
    recognize = {"method": "mien.rest.v1.CompreFaceService/Recognize", "code": "OK"}
    before = total(mesh, "mien_embedder_images_total"), total(mesh, "mien_grpc_calls_total", **recognize)
    answer = rest.post("/recognize", files={"file": ("a.jpg", obama)})
    assert answer.status_code == 200, answer.text
    after = total(mesh, "mien_embedder_images_total"), total(mesh, "mien_grpc_calls_total", **recognize)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def test_the_public_listener_has_no_metrics(mesh: Mesh) -> None:
    for path in ("/metrics", "/stats/prometheus", "/v1/metrics"):
        answer = httpx.get(f"{mesh.url}{path}")
        assert answer.status_code == 404
        assert "mien_" not in answer.text
        assert "envoy_" not in answer.text


def test_they_are_on_loopback_alone(mesh: Mesh) -> None:
    assert all(url.startswith("http://127.0.0.1:") for url in mesh.state["metrics"].values())


def test_status_shows_each_process_and_where_its_metrics_are(mesh: Mesh) -> None:
    lines = mien("status", "--data", str(mesh.data)).stdout.splitlines()
    told = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    for process in PROCESSES | {"envoy"}:
        assert told.pop(process) == [mesh.address_of(process), "serving", mesh.state["metrics"][process]]
    assert told == {"postgres": [mesh.address_of("postgres"), "serving"]}


def test_status_fails_while_a_process_does_not_serve(mesh: Mesh) -> None:
    victim = "classifier-2"
    command = [sys.executable, "-m", "mien", "status", "--data", str(mesh.data)]
    subprocess.run(["kill", "-STOP", str(mesh.pid_of(victim))], check=True)
    try:
        told = subprocess.run(command, capture_output=True, text=True)
    finally:
        subprocess.run(["kill", "-CONT", str(mesh.pid_of(victim))], check=True)
    assert told.returncode == 1
    assert re.search(f"{victim} .*NOT SERVING", told.stdout)
    assert f"not serving: {victim}" in told.stderr
    deadline = time.monotonic() + 10
    while subprocess.run(command, capture_output=True).returncode:
        assert time.monotonic() < deadline


def test_status_of_no_mesh_is_a_plain_sentence(tmp_path: object) -> None:
    command = [sys.executable, "-m", "mien", "status", "--data", f"{tmp_path}/none"]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 1
    assert "no mesh is running in" in told.stderr
    assert "Traceback" not in told.stderr
