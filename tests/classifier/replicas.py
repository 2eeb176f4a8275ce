"""Classifiers as processes of their own, to be killed, and an embedder that answers what an image says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceServicer, add_EmbedderServiceServicer_to_server
from serving.probe import is_serving
from tests.galleries import DIMENSION, MODEL
from tests.postgres import free_port

PATIENCE = 30.0  # seconds


class Replica:
    """`python -m classifier`, or that after `spoilt` has been run: Python that takes a guard away."""

    def __init__(self, database_url: str, embedder: str, spoilt: str = "") -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._environment = {
            "CLASSIFIER_LISTEN": self.address,
            "DATABASE_URL": database_url,
            "CLASSIFIER_EMBEDDER": embedder,
        }
        run = "import runpy; runpy.run_module('classifier', run_name='__main__', alter_sys=True)"
        self._command = [sys.executable, "-c", f"{spoilt}\n{run}"]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=os.environ | self._environment, stderr=subprocess.DEVNULL
        )

    def await_serving(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_serving(self.address, 0.2):
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextmanager
def replicas(database_url: str, embedder: str, count: int = 3, spoilt: str = "") -> Iterator[list[Replica]]:
    every = [Replica(database_url, embedder, spoilt) for _ in range(count)]
    try:
        for each in every:
            each.await_serving()
        yield every
    finally:
        for each in every:
            each.kill()


def image(cosine: float) -> bytes:
    """A file that the embedder below finds a face in, of this cosine to that of `image(1)`."""
    return f"{cosine:.6f}".encode()


def embedding(cosine: float) -> list[float]:
    return [cosine, float(np.sqrt(1 - cosine * cosine)), *[0.0] * (DIMENSION - 2)]


class _Embedder(EmbedderServiceServicer):
    def Analyze(self, request: pb.AnalyzeRequest, context: Any) -> pb.AnalyzeResponse:
        face = face_pb2.Face(embedding=embedding(float(request.image)))
        return pb.AnalyzeResponse(faces=[face], model=_MODEL)

    def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        return pb.GetModelResponse(model=_MODEL)


_MODEL = face_pb2.Model(
    name=MODEL, dimension=DIMENSION, calibration=face_pb2.Calibration(threshold=1, steepness=1)
)


@contextmanager
def embedding_images() -> Iterator[str]:
    """The address of such an embedder."""
    server = grpc.server(ThreadPoolExecutor(4))
    add_EmbedderServiceServicer_to_server(_Embedder(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()
