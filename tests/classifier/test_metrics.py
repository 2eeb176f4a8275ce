"""`python -m classifier`, scraped while it works."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import grpc
import pytest

from mien.rest.v1 import compreface_pb2
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceStub
from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.classifier.conftest import running
from tests.galleries import new_service
from tests.postgres import Server, free_port, new_database
from tests.scrapes import Scrape, scrape

FOLLOWED = 3.0  # seconds


class Running(NamedTuple):
    listen: str
    metrics: str
    database_url: str

    def scrape(self) -> Scrape:
        return scrape(self.metrics)


@pytest.fixture(scope="module")
def watched(embedder: str, postgres: Server) -> Iterator[Running]:
    """A classifier that serves its metrics."""
    listen, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    places = {"CLASSIFIER_METRICS": metrics, "CLASSIFIER_EMBEDDER": embedder}
    with (
        new_database(postgres) as url,
        running("classifier", CLASSIFIER_LISTEN=listen, DATABASE_URL=url, **places),
    ):
        yield Running(listen, metrics, url)


@pytest.fixture
def connection(watched: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(watched.listen) as channel:
        yield channel


def test_galleries_count_once_they_are_searched_and_as_they_grow(
    watched: Running, connection: grpc.Channel, obama: bytes
) -> None:
    assert watched.scrape()("mien_classifier_galleries") == 0
    key = [("x-api-key", new_service(watched.database_url)[1])]
    gallery = GalleryServiceStub(connection)
    for _ in range(2):
        gallery.AddFace(gallery_pb2.AddFaceRequest(image=obama, subject="Ada"), metadata=key)
    assert watched.scrape()("mien_classifier_galleries") == 0
    recognize = recognition_pb2.RecognizeRequest(image=obama)
    RecognitionServiceStub(connection).Recognize(recognize, metadata=key)
    held = watched.scrape()
    assert held("mien_classifier_galleries") == 1
    assert held("mien_classifier_rows") == 2
    assert 2 * 128 * 4 < held("mien_classifier_bytes") < 2000
    gallery.AddFace(gallery_pb2.AddFaceRequest(image=obama, subject="Ada"), metadata=key)
    deadline = time.monotonic() + FOLLOWED
    while watched.scrape()("mien_classifier_rows") != 3:
        assert time.monotonic() < deadline


def test_calls_are_counted_for_each_of_its_services(watched: Running, connection: grpc.Channel) -> None:
    CompreFaceServiceStub(connection).GetConfig(compreface_pb2.GetConfigRequest())
    key = [("x-api-key", new_service(watched.database_url)[1])]
    GalleryServiceStub(connection).ListSubjects(gallery_pb2.ListSubjectsRequest(), metadata=key)
    seen = watched.scrape()
    for method in ("mien.rest.v1.CompreFaceService/GetConfig", "mien.v1.GalleryService/ListSubjects"):
        assert seen("mien_grpc_calls_total", method=method, code="OK") == 1
        assert seen("mien_grpc_call_seconds_count", method=method) == 1
        assert seen("mien_grpc_calls_in_progress", method=method) == 0


def test_keys_that_open_nothing_are_counted(watched: Running, connection: grpc.Channel) -> None:
    """Clients of CompreFace are told in its own words, and by another code; the reason is the same."""
    before, compreface = watched.scrape(), CompreFaceServiceStub(connection)
    for key in ([], [("x-api-key", "key")], [("x-api-key", str(uuid4()))]):
        with pytest.raises(grpc.RpcError):
            GalleryServiceStub(connection).ListSubjects(gallery_pb2.ListSubjectsRequest(), metadata=key)
        with pytest.raises(grpc.RpcError):
            compreface.ListSubjects(compreface_pb2.ListSubjectsRequest(), metadata=key)
    after = watched.scrape()
    for reason in ("API_KEY_MISSING", "API_KEY_MALFORMED", "API_KEY_UNKNOWN"):
        assert after("mien_refusals_total", reason=reason) - before("mien_refusals_total", reason=reason) == 2
    told = {"method": "mien.rest.v1.CompreFaceService/ListSubjects"}
    assert after("mien_grpc_calls_total", code="NOT_FOUND", **told) == 1
    assert after("mien_grpc_calls_total", code="INVALID_ARGUMENT", **told) == 2


def test_nothing_there_is_of_a_person_or_a_key(watched: Running) -> None:
    assert watched.scrape().labels <= {"method", "code", "reason", "le"}


def test_it_says_how_long_it_has_not_followed_the_database(watched: Running, postgres: Server) -> None:
    def behind() -> float:
        return watched.scrape()("mien_classifier_behind_seconds")

    assert 0 < behind() < FOLLOWED
    postgres.refuse(watched.database_url)
    time.sleep(FOLLOWED)
    assert behind() > FOLLOWED - 1.5
    postgres.admit(watched.database_url)
    deadline = time.monotonic() + 10
    while behind() > 1.5:
        assert time.monotonic() < deadline


def test_a_port_that_is_taken_ends_it_with_a_plain_word(watched: Running) -> None:
    places = {"CLASSIFIER_LISTEN": "127.0.0.1:0", "DATABASE_URL": watched.database_url}
    for taken in ({"CLASSIFIER_METRICS": watched.metrics}, {"CLASSIFIER_LISTEN": watched.listen}):
        done = subprocess.run(
            [sys.executable, "-m", "classifier"],
            env=os.environ | places | taken,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 1
        assert "is the port free?" in done.stderr
        assert "Traceback" not in done.stderr
