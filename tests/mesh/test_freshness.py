"""Every read sees every acknowledged write, whichever replica made it and whichever answers."""

import grpc

from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.mesh.conftest import Mesh

ROUNDS = 200


def test_a_face_added_through_one_classifier_is_found_by_the_other_at_once(
    mesh: Mesh, key: str, obama: bytes
) -> None:
    credentials = [("x-api-key", key)]
    probe = recognition_pb2.RecognizeRequest(image=obama)
    with (
        grpc.insecure_channel(mesh.address_of("classifier-1")) as one,
        grpc.insecure_channel(mesh.address_of("classifier-2")) as other,
    ):
        for turn in range(ROUNDS):
            writer, reader = (one, other) if turn % 2 else (other, one)
            added = GalleryServiceStub(writer).AddFace(
                gallery_pb2.AddFaceRequest(image=obama, subject=f"subject {turn}"), metadata=credentials
            )
            (face,) = RecognitionServiceStub(reader).Recognize(probe, metadata=credentials).faces
            assert [match.face_id for match in face.matches] == [added.face.face_id], turn

            GalleryServiceStub(reader).DeleteFace(
                gallery_pb2.DeleteFaceRequest(face_id=added.face.face_id), metadata=credentials
            )
            (face,) = RecognitionServiceStub(writer).Recognize(probe, metadata=credentials).faces
            assert not face.matches, turn
