"""`python -m embedder`, scraped while it works: each metric moves when it should."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import httpx
import psutil
import pytest
from PIL import Image

from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.limits import MAX_REQUEST
from serving.server import sizes
from tests.classifier.conftest import running
from tests.embedder.conftest import saved
from tests.postgres import free_port
from tests.scrapes import Scrape, scrape

QUEUE = 3  # images
CHIP = bytes(150 * 150 * 3)
ALL = [
    face_pb2.FACE_OUTPUT_EMBEDDING,
    face_pb2.FACE_OUTPUT_AGE,
    face_pb2.FACE_OUTPUT_GENDER,
    face_pb2.FACE_OUTPUT_MASK,
    face_pb2.FACE_OUTPUT_POSE,
]
NETWORKS = ("recogniser", "age", "gender", "mask")
SERVICE = "mien.v1.EmbedderService"


class Running(NamedTuple):
    listen: str
    metrics: str

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@pytest.fixture(scope="module")
def embedder(networks: Any) -> Iterator[Running]:
    """One that has a single thread."""
    listen, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    settings = {"EMBEDDER_THREADS": "1", "EMBEDDER_QUEUE": str(QUEUE), "EMBEDDER_METRICS": metrics}
    with running("embedder", EMBEDDER_LISTEN=listen, **settings):
        yield Running(listen, metrics)


@pytest.fixture
def stub(embedder: Running) -> Iterator[Any]:
    """Called from other threads than the one that scrapes."""
    with grpc.insecure_channel(embedder.listen, sizes(MAX_REQUEST)) as channel:
        yield EmbedderServiceStub(channel)


@pytest.fixture(scope="module")
def large() -> bytes:
    """A file that is sent in no time and takes its time: nothing to see on it, much of it, in many scans."""
    return saved(Image.new("RGB", (7000, 7000), "grey"), progressive=True)


def test_an_analysis_is_counted_by_its_steps(embedder: Running, stub: Any, portrait: Image.Image) -> None:
    before = embedder.scrape()
    answer = stub.Analyze(pb.AnalyzeRequest(image=saved(portrait), outputs=ALL))
    after = embedder.scrape()

    def grown(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert grown("mien_embedder_images_total") == 1
    assert grown("mien_embedder_image_seconds_count") == 1
    assert grown("mien_embedder_image_wait_seconds_count") == 1
    for step in answer.steps:
        assert grown("mien_embedder_faces_total", step=step.name) == 1
        assert grown("mien_embedder_step_seconds_count", step=step.name) == 1
        seconds = grown("mien_embedder_step_seconds_sum", step=step.name)
        assert 1000 * seconds == pytest.approx(step.milliseconds, rel=1e-3)
    for name in NETWORKS:
        assert grown("mien_embedder_batch_size_sum", step=name) == 1
        assert grown("mien_embedder_wait_seconds_count", step=name) == 1
        assert 0 < grown("mien_embedder_batch_seconds_sum", step=name) < 5
        assert after("mien_embedder_queue_length", step=name) == 0
    method = f"{SERVICE}/Analyze"
    assert grown("mien_grpc_calls_total", method=method, code="OK") == 1
    assert 0 < grown("mien_grpc_call_seconds_sum", method=method) < 10
    assert after("mien_grpc_calls_in_progress", method=method) == 0
    assert after("process_resident_memory_bytes") > 50 << 20


def test_crops_are_counted_with_the_sizes_of_their_batches(embedder: Running, stub: Any) -> None:
    before = embedder.scrape()
    requests = [pb.EmbedRequest(id=each, chips=CHIP * 128) for each in range(2)]
    answers = stub.Embed(iter(requests))
    next(answers)
    during = embedder.scrape()
    list(answers)
    after = embedder.scrape()
    method = f"{SERVICE}/Embed"
    assert during("mien_grpc_calls_in_progress", method=method) == 1
    assert after("mien_grpc_calls_in_progress", method=method) == 0
    assert during("mien_embedder_queue_length", step="recogniser") > 0
    name = "mien_embedder_faces_total"
    assert after(name, step="recogniser") - before(name, step="recogniser") == 256
    size = "mien_embedder_batch_size"
    batches = after(f"{size}_count", step="recogniser") - before(f"{size}_count", step="recogniser")
    assert after(f"{size}_sum", step="recogniser") - before(f"{size}_sum", step="recogniser") == 256
    assert batches <= 256 / 8, "they were not batched"
    waits = "mien_embedder_wait_seconds_sum"
    assert after(waits, step="recogniser") > before(waits, step="recogniser")


def test_refusals_are_counted_when_the_queue_is_full(embedder: Running, stub: Any, large: bytes) -> None:
    before = embedder.scrape()
    calls = [stub.Analyze.future(pb.AnalyzeRequest(image=large), timeout=60) for _ in range(3 * QUEUE)]
    waiting = 0.0
    while not all(call.done() for call in calls):
        waiting = max(waiting, embedder.scrape()("mien_embedder_images_waiting"))
    codes = [call.code() for call in calls]
    refused = codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert refused + codes.count(grpc.StatusCode.OK) == len(calls)
    assert refused >= len(calls) - 2 * QUEUE
    after = embedder.scrape()
    overloaded = {"reason": "OVERLOADED"}
    assert after("mien_refusals_total", **overloaded) - before("mien_refusals_total", **overloaded) == refused
    told = {"method": f"{SERVICE}/Analyze", "code": "RESOURCE_EXHAUSTED"}
    assert after("mien_grpc_calls_total", **told) - before("mien_grpc_calls_total", **told) == refused
    assert waiting == QUEUE
    assert after("mien_embedder_images_waiting") == 0
    waits = "mien_embedder_image_wait_seconds_sum"
    assert after(waits) > before(waits) + 0.01


def test_what_is_refused_within_a_stream_is_counted_too(embedder: Running, stub: Any) -> None:
    before = embedder.scrape()
    files = pb.FaceFiles(files=[b"text", b""])
    list(stub.Embed(iter([pb.EmbedRequest(id=1, files=files), pb.EmbedRequest(id=2)])))
    with pytest.raises(grpc.RpcError):
        stub.Analyze(pb.AnalyzeRequest(image=b"text"))
    after = embedder.scrape()
    for reason, count in {"IMAGE_UNREADABLE": 3, "ARGUMENT_INVALID": 1, "OVERLOADED": 0}.items():
        grown = after("mien_refusals_total", reason=reason) - before("mien_refusals_total", reason=reason)
        assert grown == count, reason


def test_nothing_there_is_of_a_person(embedder: Running) -> None:
    assert embedder.scrape().labels <= {"step", "method", "code", "reason", "le"}


def ports_of_children() -> list[set[int]]:
    """Where each of the processes we started listens."""
    return [
        {each.laddr.port for each in child.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
        for child in psutil.Process().children()
    ]


def test_unset_nothing_is_served_but_grpc(networks: Any) -> None:
    port = free_port()
    with running("embedder", EMBEDDER_LISTEN=f"127.0.0.1:{port}", EMBEDDER_THREADS="1"):
        (its,) = [ports for ports in ports_of_children() if port in ports]
    assert its == {port}


def test_where_grpc_is_served_no_metrics_are(embedder: Running) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        scrape(embedder.listen)


def test_a_port_that_is_taken_ends_it_with_a_plain_word(embedder: Running) -> None:
    environment = {"EMBEDDER_LISTEN": "127.0.0.1:0", "EMBEDDER_METRICS": embedder.metrics}
    command = [sys.executable, "-m", "embedder"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"cannot serve metrics on {embedder.metrics}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "never awaited" not in done.stderr
