"""Detection and verification by the native service, with a real embedder and a real Postgres."""

from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest

from mien.v1 import face_pb2, gallery_pb2
from mien.v1 import recognition_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving import faults
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import new_service

EVERYTHING = [output for output in face_pb2.FaceOutput.values() if output]


class Client:
    """Calls each method with a key of the type that it needs."""

    def __init__(self, channel: grpc.aio.Channel, url: str) -> None:
        self._stub, self._gallery = RecognitionServiceStub(channel), GalleryServiceStub(channel)
        self._keys = {
            kind: [("x-api-key", new_service(url, kind)[1])]
            for kind in ("recognition", "detection", "verification")
        }

    def __call__(self, request: Any) -> Any:
        method = type(request).__name__.removesuffix("Request")
        kinds = {"Detect": "detection", "Verify": "verification", "VerifyEmbeddings": "verification"}
        stub = self._stub if hasattr(self._stub, method) else self._gallery
        return getattr(stub, method)(request, metadata=self._keys[kinds.get(method, "recognition")])


@pytest.fixture
def ask(channel: grpc.aio.Channel, classifier: Classifier) -> Client:
    return Client(channel, classifier.database_url)


def embedding(*values: float) -> pb.Embedding:
    return pb.Embedding(values=values)


async def test_a_face_is_found_with_what_is_asked_for_and_no_more(ask: Client, obama: bytes) -> None:
    (bare,) = (await ask(pb.DetectRequest(image=obama))).faces
    assert {field.name for field, _ in bare.ListFields()} == {"box", "landmarks", "score"}
    answer = await ask(pb.DetectRequest(image=obama, outputs=EVERYTHING))
    (face,) = answer.faces
    assert {field.name for field, _ in face.ListFields()} == set(face_pb2.Face.DESCRIPTOR.fields_by_name)
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert 0 <= face.age.low <= face.age.high <= 80
    assert face.gender.sex == face_pb2.SEX_MALE
    assert face.mask.wear == face_pb2.MASK_WEAR_WITHOUT
    names = ["detector", "aligner", "recogniser", "age", "gender", "mask", "pose", "quality"]
    assert [step.name for step in answer.steps] == names
    assert 0 < face.quality.value <= face.quality.sharpness <= 1
    assert all(step.version.startswith("open/") and step.milliseconds > 0 for step in answer.steps)


async def test_small_faces_and_many_faces_are_left_out(ask: Client, two_faces: bytes, no_face: bytes) -> None:
    faces = (await ask(pb.DetectRequest(image=two_faces))).faces
    sizes = [min(face.box.width, face.box.height) for face in faces]
    between = int(max(sizes)) if sizes[0] != sizes[1] else 999
    kept = (await ask(pb.DetectRequest(image=two_faces, min_face_size=between))).faces
    assert len(kept) == sum(size >= between for size in sizes)
    assert len((await ask(pb.DetectRequest(image=two_faces, max_faces=1))).faces) == 1
    assert not (await ask(pb.DetectRequest(image=no_face))).faces


async def test_two_images_of_one_person_are_alike_and_of_two_are_not(
    ask: Client, obama: bytes, two_faces: bytes
) -> None:
    answer = await ask(pb.VerifyRequest(source_image=obama, target_image=two_faces))
    assert answer.source.box.width > 0
    alike = [target.similarity for target in answer.targets]
    assert sorted(similarity >= 0.5 for similarity in alike) == [False, True]
    assert all(not target.face.embedding for target in answer.targets)


async def test_the_source_shows_exactly_one_face(
    ask: Client, obama: bytes, two_faces: bytes, no_face: bytes
) -> None:
    several = pb.VerifyRequest(source_image=two_faces, target_image=obama)
    assert await refusal(ask(several), faults.SeveralFaces) == {"faces": "2"}
    several.largest_source = True
    assert len((await ask(several)).targets) == 1
    for one, other in ((no_face, obama), (obama, no_face)):
        await refusal(ask(pb.VerifyRequest(source_image=one, target_image=other)), faults.NoFace)


async def test_an_enrolled_face_is_compared_with_an_image_and_with_embeddings(
    ask: Client, obama: bytes, two_faces: bytes, no_face: bytes
) -> None:
    face_id = (await ask(gallery_pb2.AddFaceRequest(image=obama, subject="Obama"))).face.face_id
    answer = await ask(
        pb.VerifyFaceRequest(
            face_id=face_id, image=two_faces, outputs=[face_pb2.FACE_OUTPUT_EMBEDDING], max_faces=2
        )
    )
    assert answer.subject == "Obama"
    vectors = [embedding(*(np.array(face.face.embedding) * 7)) for face in answer.faces]
    again = await ask(pb.VerifyFaceEmbeddingsRequest(face_id=face_id, embeddings=vectors))
    assert again.subject == "Obama"
    for face, likeness in zip(answer.faces, again.results, strict=True):
        assert likeness.cosine == pytest.approx(face.cosine, abs=1e-6)
        assert likeness.similarity == pytest.approx(face.similarity, abs=1e-5)
    found = await ask(pb.RecognizeEmbeddingsRequest(embeddings=vectors, min_similarity=0.5))
    assert sorted(len(each.matches) for each in found.results) == [0, 1]
    assert not (await ask(pb.VerifyFaceRequest(face_id=face_id, image=no_face))).faces


async def test_embeddings_are_compared_whatever_their_length_is(ask: Client) -> None:
    request = pb.VerifyEmbeddingsRequest(
        source=embedding(3, 4), targets=[embedding(6e30, 8e30), embedding(-4e-30, 3e-30)]
    )
    alike, across = (await ask(request)).results
    assert (alike.cosine, alike.similarity) == pytest.approx((1, 1), abs=1e-3)
    assert across.cosine == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.DetectRequest(min_score=2), "min_score"),
        (pb.RecognizeRequest(min_similarity=1.1), "min_similarity"),
        (pb.RecognizeRequest(min_similarity=float("nan")), "min_similarity"),
        (pb.RecognizeEmbeddingsRequest(), "embeddings"),
        (pb.RecognizeEmbeddingsRequest(embeddings=[embedding(1, 2)]), "embeddings"),
        (pb.RecognizeEmbeddingsRequest(embeddings=[embedding(*[0] * 128)]), "embeddings"),
        (pb.RecognizeEmbeddingsRequest(embeddings=[embedding(*[float("inf")] * 128)]), "embeddings"),
        (pb.RecognizeEmbeddingsRequest(embeddings=[embedding(*[1] * 128)] * 1001), "embeddings"),
        (pb.VerifyEmbeddingsRequest(source=embedding(1), targets=[embedding(1, 2)]), "targets"),
        (pb.VerifyEmbeddingsRequest(source=embedding(1)), "targets"),
        (pb.VerifyEmbeddingsRequest(targets=[embedding(1)]), "source"),
        (pb.VerifyEmbeddingsRequest(source=embedding(float("nan")), targets=[embedding(1)]), "source"),
        (pb.VerifyFaceRequest(face_id="seven"), "face_id"),
        (pb.VerifyFaceEmbeddingsRequest(face_id="seven"), "face_id"),
        (gallery_pb2.DeleteFacesRequest(), "face_ids"),
        (gallery_pb2.DeleteFacesRequest(face_ids=["seven"]), "face_ids"),
        (gallery_pb2.RenameSubjectRequest(subject="Ann", new_subject=" "), "new_subject"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_an_argument_out_of_range_is_named(ask: Client, request_: Any, field: str) -> None:
    assert await refusal(ask(request_), faults.ArgumentInvalid) == {"field": field}


async def test_what_is_not_there_is_not_found(ask: Client, obama: bytes) -> None:
    unknown = str(uuid4())
    one = pb.VerifyFaceRequest(face_id=unknown, image=obama)
    other = pb.VerifyFaceEmbeddingsRequest(face_id=unknown, embeddings=[embedding(*[1] * 128)])
    for request in (one, other):
        assert await refusal(ask(request), faults.FaceNotFound) == {"face_id": unknown}
    rename = gallery_pb2.RenameSubjectRequest(subject="Ann", new_subject="Ben")
    assert await refusal(ask(rename), faults.SubjectNotFound) == {"subject": "Ann"}


async def test_an_image_of_too_many_bytes_is_refused(ask: Client) -> None:
    facts = await refusal(ask(pb.DetectRequest(image=bytes((10 << 20) + 1))), faults.ImageTooLarge)
    assert facts == {"bytes": "10485761", "max_bytes": "10485760"}


async def test_subjects_are_renamed_and_merged_and_faces_erased_together(ask: Client, obama: bytes) -> None:
    faces = [
        (await ask(gallery_pb2.AddFaceRequest(image=obama, subject=name))).face.face_id
        for name in ("Ann", "Ben", "Ben")
    ]
    renamed = await ask(gallery_pb2.RenameSubjectRequest(subject="ANN", new_subject="Eve"))
    assert (renamed.subject, renamed.changed, renamed.merged, renamed.revision) == ("Eve", True, False, 4)
    answer = await ask(pb.RecognizeRequest(image=obama, max_matches=5))
    assert {match.subject for match in answer.faces[0].matches} == {"Eve", "Ben"}
    merged = await ask(gallery_pb2.RenameSubjectRequest(subject="Eve", new_subject="BEN"))
    assert (merged.subject, merged.merged) == ("Ben", True)
    answer = await ask(pb.RecognizeRequest(image=obama, max_matches=5))
    assert [match.subject for match in answer.faces[0].matches] == ["Ben"]
    erased = await ask(gallery_pb2.DeleteFacesRequest(face_ids=[*faces[:2], str(uuid4())]))
    assert {face.face_id for face in erased.faces} == set(faces[:2])
    assert (await ask(gallery_pb2.ListFacesRequest())).total == 1
