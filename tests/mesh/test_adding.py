"""AddFaces through Envoy, by gRPC and by REST, with two classifiers."""

import grpc
import httpx

from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.classifier.test_adding import MODEL, ready, vector
from tests.mesh.conftest import Mesh


def test_a_face_is_found_by_the_other_classifier_as_soon_as_it_is_answered(mesh: Mesh, key: str) -> None:
    credentials = [("x-api-key", key)]
    with (
        grpc.insecure_channel(mesh.address_of("classifier-1")) as one,
        grpc.insecure_channel(mesh.address_of("classifier-2")) as other,
    ):
        search = RecognitionServiceStub(other).RecognizeEmbeddings
        requests = (ready(number, f"subject {number}") for number in range(1500))
        for answer in GalleryServiceStub(one).AddFaces(requests, metadata=credentials):
            if answer.id % 100 == 0:
                probe = recognition_pb2.RecognizeEmbeddingsRequest(
                    embeddings=[recognition_pb2.Embedding(values=vector(answer.id))]
                )
                (found,) = search(probe, metadata=credentials).results
                assert found.matches[0].face_id == answer.face.face_id
        assert answer.revision <= 1500


def test_two_classifiers_that_fill_one_gallery_take_turns(mesh: Mesh, key: str) -> None:
    credentials = [("x-api-key", key)]
    with (
        grpc.insecure_channel(mesh.address_of("classifier-1")) as one,
        grpc.insecure_channel(mesh.address_of("classifier-2")) as other,
    ):
        calls = [
            GalleryServiceStub(channel).AddFaces(
                (ready(number, key=f"{number}") for number in range(1000)), metadata=credentials
            )
            for channel in (one, other)
        ]
        told = [{answer.id: answer.face.face_id for answer in call} for call in calls]
        assert told[0] == told[1]
        listed = GalleryServiceStub(one).ListFaces(gallery_pb2.ListFacesRequest(), metadata=credentials)
        assert listed.total == len(told[0]) == 1000


def test_faces_are_added_by_rest_as_an_array(mesh: Mesh, key: str) -> None:
    def face(number: int, model: str = MODEL) -> dict[str, object]:
        return {
            "id": number,
            "subject": "Ann",
            "embedded": {"embedding": vector(number), "model": model},
        }

    faces = [face(1), face(2, "another"), face(3)]
    answer = httpx.post(f"{mesh.url}/v1/faces:add", json=faces, headers={"x-api-key": key}, timeout=30)
    assert answer.status_code == 200
    told = {each["id"]: each for each in answer.json()}
    assert told.keys() == {"1", "2", "3"}
    assert {told[number]["face"]["subject"] for number in ("1", "3")} == {"Ann"}
    assert told["2"]["error"]["details"][0]["reason"] == "MODEL_MISMATCH"
    # What was enrolled without an image has none to download; CompreFace answers nothing then.
    face_id = told["1"]["face"]["face_id"]
    image = httpx.get(f"{mesh.url}/v1/faces/{face_id}/image", headers={"x-api-key": key})
    assert (image.status_code, image.json()["details"][0]["reason"]) == (404, "IMAGE_NOT_KEPT")
    image = httpx.get(f"{mesh.url}/api/v1/recognition/faces/{face_id}/img", headers={"x-api-key": key})
    assert (image.status_code, image.content) == (200, b"")
    many = [face(number) for number in range(3000)]
    answer = httpx.post(f"{mesh.url}/v1/faces:add", json=many, headers={"x-api-key": key}, timeout=60)
    assert len(answer.json()) == 3000
