"""`python -m embedder` as it is run: from its environment to gRPC and back to nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from PIL import Image

from mien.v1 import embedder_pb2 as pb
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.probe import is_serving
from serving.settings import UNUSABLE
from tests.embedder.conftest import saved
from tests.postgres import free_port

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(networks: dict[str, Path]) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(**settings: str) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDDER_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "embedder"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment | {"EMBEDDER_LISTEN": "127.0.0.1:0"} | settings,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_it_serves_when_it_is_warm_and_ends_when_told(start: Start, portrait: Image.Image) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = start(EMBEDDER_LISTEN=address, EMBEDDER_THREADS="1")
    assert process.stderr
    log = [process.stderr.readline() for _ in range(2)]
    assert "the recogniser computes in " in log[0]
    assert "serving on" in log[1]
    assert is_serving(address)
    with grpc.insecure_channel(address) as channel:
        answer = EmbedderServiceStub(channel).Analyze(pb.AnalyzeRequest(image=saved(portrait)), timeout=10)
    assert len(answer.faces) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_it_serves_what_its_settings_ask_for(start: Start, portrait: Image.Image) -> None:
    address = f"127.0.0.1:{free_port()}"
    process = start(EMBEDDER_LISTEN=address, EMBEDDER_PRECISION="int8", EMBEDDER_FLIP="1")
    assert process.stderr
    assert "the recogniser computes in int8 on cpu: " in process.stderr.readline()
    assert "serving on" in process.stderr.readline()
    with grpc.insecure_channel(address) as channel:
        answer = EmbedderServiceStub(channel).Analyze(pb.AnalyzeRequest(image=saved(portrait)), timeout=10)
    assert answer.model.name == "open+flip"


def test_nothing_is_reported_to_the_makers_of_the_libraries(
    networks: dict[str, Path], tmp_path: Path
) -> None:
    """ONNX Runtime keeps a queue of reports in the home folder, and a number for the machine."""
    code = f"from embedder.session import Session; Session({str(networks['recogniser'])!r})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment | {"HOME": str(tmp_path)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"EMBEDDER_PACK": "nowhere"},
            "there is no model pack 'nowhere'; there are: antelopev2, buffalo_l, open",
        ),
        ({"EMBEDDER_PACK": "nowhere.toml"}, "the pack file nowhere.toml cannot be read: No such file"),
        ({"EMBEDDER_THREDS": "2"}, "EMBEDDER_THREDS: no such setting"),
        ({"EMBEDDER_THREADS": "two"}, "EMBEDDER_THREADS='two'"),
        ({"EMBEDDER_THREADS": "0"}, "EMBEDDER_THREADS=0 is too small: at least 1"),
        (
            {"EMBEDDER_PRECISION": "int4"},
            "EMBEDDER_PRECISION=int4 is not known; there are auto, float32, float16, int8",
        ),
        ({"EMBEDDER_DEVICE": "gpu"}, "EMBEDDER_DEVICE='gpu': there are cpu, cuda, and cuda:1 and so on"),
        ({"EMBEDDER_PRECISION": "float16"}, "EMBEDDER_PRECISION=float16 cannot be: it is not for a CPU"),
        ({"EMBEDDER_FLIP": "2"}, "EMBEDDER_FLIP=2 is not known; there are 0, 1"),
        ({"EMBEDDER_QUEUE": "-1"}, "EMBEDDER_QUEUE=-1 is too small: at least 0"),
        ({"EMBEDDER_LISTEN": "nowhere:1:2"}, "cannot listen on nowhere:1:2"),
        ({"MIEN_CACHE": "/proc/nowhere"}, "MIEN_CACHE names another folder"),
    ],
)
def test_a_mistake_in_the_settings_ends_it_with_a_plain_word(
    start: Start, settings: dict[str, str], says: str
) -> None:
    process = start(**settings)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (1 if {"EMBEDDER_LISTEN", "MIEN_CACHE"} & set(settings) else UNUSABLE)
    assert says in said
    assert "never awaited" not in said
    assert "Traceback" not in said


def test_networks_for_research_alone_are_not_served_without_a_yes(start: Start, tmp_path: Path) -> None:
    process = start(EMBEDDER_PACK="buffalo_l", MIEN_CACHE=str(tmp_path))
    _, said = process.communicate(timeout=30)
    assert process.returncode == UNUSABLE
    assert "mien models pull buffalo_l --accept-licence" in said
    assert list(tmp_path.iterdir()) == []
