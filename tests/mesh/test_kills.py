"""kill -9 of any one process under a running load: nothing acknowledged is lost, and it heals by itself."""

import os
import signal
import threading
import time
from dataclasses import dataclass, field

import grpc
import pytest

from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.mesh.conftest import Mesh

BACK_WITHIN = 5.0  # seconds
CALLERS = 4

# What a client may try again. Anything else under a crash is a fault of ours.
RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


@dataclass
class Load:
    """Callers that enrol and recognise without pause, and remember what they were told."""

    mesh: Mesh
    key: str
    image: bytes
    acknowledged: set[str] = field(default_factory=set)
    successes: list[float] = field(default_factory=list)  # when each call that succeeded began
    failures: list[tuple[float, grpc.RpcError]] = field(default_factory=list)  # and when each began
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        credentials = [("x-api-key", self.key)]
        # A client of a service that restarts asks again soon.
        options = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
        with grpc.insecure_channel(self.mesh.address, options) as channel:
            gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
            while not self.over.is_set():
                began = time.monotonic()
                try:
                    added = gallery.AddFace(
                        gallery_pb2.AddFaceRequest(image=self.image, subject="somebody"),
                        metadata=credentials,
                        timeout=20,
                    )
                    self.acknowledged.add(added.face.face_id)
                    recognition.Recognize(
                        recognition_pb2.RecognizeRequest(image=self.image), metadata=credentials, timeout=20
                    )
                    self.successes.append(began)
                except grpc.RpcError as error:
                    self.failures.append((began, error))
                    self.over.wait(0.05)

    def stored(self) -> set[str]:
        faces: set[str] = set()
        with grpc.insecure_channel(self.mesh.address) as channel:
            token = ""
            while True:
                page = GalleryServiceStub(channel).ListFaces(
                    gallery_pb2.ListFacesRequest(page_size=1000, page_token=token),
                    metadata=[("x-api-key", self.key)],
                )
                faces |= {face.face_id for face in page.faces}
                if not (token := page.next_page_token):
                    return faces


@pytest.mark.parametrize("victim", ["embedder-1", "classifier-1", "envoy", "postgres"])
def test_a_killed_process_costs_no_acknowledged_face(mesh: Mesh, key: str, obama: bytes, victim: str) -> None:
    load = Load(mesh, key, obama)
    callers = [threading.Thread(target=load.run, daemon=True) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    time.sleep(1)
    killed = time.monotonic()
    os.kill(mesh.pid_of(victim), signal.SIGKILL)
    time.sleep(BACK_WITHIN + 1.5)
    load.over.set()
    for caller in callers:
        caller.join(30)

    assert load.acknowledged <= load.stored()
    assert {error.code() for _, error in load.failures} <= RETRYABLE, [str(each) for each in load.failures]
    assert [str(error) for began, error in load.failures if began > killed + BACK_WITHIN] == []
    assert [began for began in load.successes if began > killed + BACK_WITHIN]
    assert mesh.pid_of(victim)
