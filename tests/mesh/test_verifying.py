"""`mien galleries` at a running mesh."""

import re

import grpc
import httpx

from mien.v1 import gallery_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from tests.mesh.conftest import Mesh, mien


def test_every_classifier_is_compared_with_the_database(mesh: Mesh, obama: bytes) -> None:
    key = mesh.key("to be verified")
    with grpc.insecure_channel(mesh.address) as channel:
        face = gallery_pb2.AddFaceRequest(image=obama, subject="Ada")
        GalleryServiceStub(channel).AddFace(face, metadata=(("x-api-key", key),))
    listed = mien("galleries", "list", "--data", str(mesh.data)).stdout
    (line,) = [line for line in listed.splitlines() if line.startswith("to be verified")]
    assert re.split(" {2,}", line)[1:4] == ["1", "1", "open"]
    told = mien("galleries", "verify", "to be verified", "--data", str(mesh.data)).stdout.splitlines()
    assert [line.split("  ")[1] for line in told] == ["classifier-1", "classifier-2"]
    state = httpx.get(f"{mesh.url}/v1/gallery/state", headers={"x-api-key": key}).json()
    assert (state["revision"], state["rows"], state["model"]) == ("1", "1", "open")
    assert all(state["hash"] in line for line in told)
    assert all("revision 1, 1 faces" in line and line.endswith("as in the database") for line in told)
