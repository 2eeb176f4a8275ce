"""A gallery that Postgres searches, in a running mesh: moved by an RPC and a command, and searched alike."""

import json
import time
from collections.abc import Callable

import grpc
import httpx
import pytest

from mien.v1 import gallery_pb2 as pb
from mien.v1 import recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.mesh.conftest import Mesh, mien

PATIENCE = 40.0  # seconds: a classifier looks every five


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_gallery_moves_into_postgres_and_back(mesh: Mesh, obama: bytes, biden: bytes) -> None:
    metadata = (("x-api-key", mesh.key("large")),)
    with grpc.insecure_channel(mesh.address) as channel:
        gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
        for image, name in ((obama, "Obama"), (biden, "Biden")):
            gallery.AddFace(pb.AddFaceRequest(image=image, subject=name), metadata=metadata)

        def state() -> pb.GetGalleryStateResponse:
            return gallery.GetGalleryState(pb.GetGalleryStateRequest(), metadata=metadata)

        def recognised(**asked: bool) -> list:
            request = recognition_pb2.RecognizeRequest(image=obama, max_matches=5, decide=True, **asked)
            answer = recognition.Recognize(request, metadata=metadata)
            return [(face.matches, face.decision) for face in answer.faces]

        before, found = state(), recognised()
        assert (before.home, before.moving_to) == (pb.HOME_MEMORY, pb.HOME_UNSPECIFIED)
        with pytest.raises(grpc.RpcError, match="HOME_MEMORY or HOME_DATABASE"):
            gallery.MoveGallery(pb.MoveGalleryRequest(), metadata=metadata)
        moved = httpx.post(
            f"{mesh.url}/v1/gallery:move", json={"home": "HOME_DATABASE"}, headers=dict(metadata)
        )
        assert moved.json() == {"home": "HOME_MEMORY", "moving_to": "HOME_DATABASE"}
        until(lambda: state().moving_to == pb.HOME_UNSPECIFIED)
        after = state()
        assert (after.home, after.hash, after.rows) == (pb.HOME_DATABASE, before.hash, 2)
        assert recognised() == recognised(exact=True) == found
        added = gallery.AddFace(pb.AddFaceRequest(image=obama, subject="Barack"), metadata=metadata)
        assert {each.subject for each in recognised()[0][0]} == {"Obama", "Biden", "Barack"}
        gallery.DeleteFace(pb.DeleteFaceRequest(face_id=added.face.face_id), metadata=metadata)
        assert [each.subject for each in recognised()[0][0]] == ["Obama", "Biden"]
        told = mien("galleries", "verify", "large", "--data", str(mesh.data)).stdout.splitlines()
        assert [line.endswith("as in the database") for line in told] == [True, True]
        assert all("in the database, hash" in line for line in told)

        def listed() -> dict[str, str]:
            galleries = json.loads(mien("galleries", "list", "--json", "--data", str(mesh.data)).stdout)
            (mine,) = [each for each in galleries if each["name"] == "large"]
            return mine

        assert (listed()["home"], listed()["moving_to"]) == ("database", None)
        mien("galleries", "move", "large", "--to", "memory", "--data", str(mesh.data))
        assert listed()["moving_to"] == "memory"
        until(lambda: state().home == pb.HOME_MEMORY)  # this replica has loaded it
        assert recognised() == found
