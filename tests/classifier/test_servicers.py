"""The native services at a running classifier, with a real embedder and a real Postgres."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import grpc
import numpy as np
import pytest

from mien.v1 import gallery_pb2 as pb
from mien.v1 import recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving import faults
from store.callers import find_caller
from store.database import Database
from store.gallery import GalleryStore
from store.keys import hash_of
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import enrol

Ask = Callable[..., Awaitable[Any]]
UNKNOWN = str(uuid4())


@pytest.fixture
def ask(channel: grpc.aio.Channel, key: list[tuple[str, str]]) -> Ask:
    """Calls a method of either service, by the name of its request."""
    gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)

    def ask(request: Any) -> Awaitable[Any]:
        method = type(request).__name__.removesuffix("Request")
        stub = recognition if method.startswith(("Recognize", "VerifyFace")) else gallery
        return getattr(stub, method)(request, metadata=key)  # type: ignore[no-any-return]

    return ask


async def test_an_enrolled_face_is_recognised_and_an_erased_one_is_not(
    ask: Ask, obama: bytes, biden: bytes, two_faces: bytes
) -> None:
    first = await ask(pb.AddFaceRequest(image=obama, subject="Obama"))
    second = await ask(pb.AddFaceRequest(image=biden, subject="Biden"))
    assert (first.revision, second.revision) == (1, 2)

    answer = await ask(recognition_pb2.RecognizeRequest(image=two_faces, max_matches=5))
    assert answer.revision == 2
    for face in answer.faces:
        best, other = face.matches
        assert best.subject == ("Obama" if face.face.box.left < 200 else "Biden")
        assert best.cosine > 0.9 > other.cosine
        assert best.similarity > 0.5 > other.similarity
        distance = np.sqrt(2 - 2 * best.cosine)
        calibration = answer.model.calibration
        expected = (np.tanh((calibration.threshold - distance) * calibration.steepness) + 1) / 2
        assert best.similarity == pytest.approx(expected, abs=1e-6)
    assert {face.matches[0].face_id for face in answer.faces} == {first.face.face_id, second.face.face_id}

    erased = await ask(pb.DeleteFaceRequest(face_id=first.face.face_id))
    assert (erased.subject, erased.revision) == ("Obama", 3)
    answer = await ask(recognition_pb2.RecognizeRequest(image=obama, max_matches=5))
    assert [match.subject for match in answer.faces[0].matches] == ["Biden"]
    await refusal(ask(pb.GetFaceImageRequest(face_id=first.face.face_id)), faults.FaceNotFound)


async def test_an_empty_gallery_recognises_nobody(ask: Ask, obama: bytes, no_face: bytes) -> None:
    answer = await ask(recognition_pb2.RecognizeRequest(image=obama))
    (face,) = answer.faces
    assert (len(face.matches), len(face.face.embedding), answer.revision) == (0, 0, 0)
    assert not (await ask(recognition_pb2.RecognizeRequest(image=no_face))).faces


async def test_an_embedding_is_answered_only_when_asked_for(ask: Ask, obama: bytes) -> None:
    answer = await ask(recognition_pb2.RecognizeRequest(image=obama, include_embedding=True))
    embedding = np.array(answer.faces[0].face.embedding)
    assert len(embedding) == answer.model.dimension
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


async def test_as_many_faces_and_matches_are_answered_as_asked_for(
    ask: Ask, obama: bytes, biden: bytes, two_faces: bytes
) -> None:
    await ask(pb.AddFaceRequest(image=obama, subject="Obama"))
    await ask(pb.AddFaceRequest(image=obama, subject="Obama"))
    await ask(pb.AddFaceRequest(image=biden, subject="Biden"))
    one = await ask(recognition_pb2.RecognizeRequest(image=two_faces, max_faces=1))
    assert [len(face.matches) for face in one.faces] == [1]
    both = await ask(recognition_pb2.RecognizeRequest(image=two_faces, max_matches=1000))
    assert [{match.subject for match in face.matches} for face in both.faces] == [{"Obama", "Biden"}] * 2
    assert [len(face.matches) for face in both.faces] == [2, 2]


async def test_faces_and_subjects_are_listed_in_pages(ask: Ask, obama: bytes) -> None:
    for name in ("Ann", "Ben", "ann", "Cem"):
        await ask(pb.AddFaceRequest(image=obama, subject=name))
    first = await ask(pb.ListFacesRequest(page_size=3))
    rest = await ask(pb.ListFacesRequest(page_size=3, page_token=first.next_page_token))
    assert [face.subject for face in [*first.faces, *rest.faces]] == ["Ann", "Ben", "Ann", "Cem"]
    assert (first.total, rest.total, rest.next_page_token) == (4, 4, "")
    assert (await ask(pb.ListFacesRequest(subject="ANN"))).total == 2
    assert (await ask(pb.ListFacesRequest(subject="nobody\0"))).total == 0
    page = await ask(pb.ListSubjectsRequest(page_size=2))
    assert list(page.subjects) == ["Ann", "Ben"]
    page = await ask(pb.ListSubjectsRequest(page_size=2, page_token=page.next_page_token))
    assert (list(page.subjects), page.next_page_token) == (["Cem"], "")


async def test_subjects_come_and_go(ask: Ask, obama: bytes) -> None:
    assert (await ask(pb.CreateSubjectRequest(subject="Ann"))).subject == "Ann"
    await refusal(ask(pb.CreateSubjectRequest(subject="ANN")), faults.SubjectExists)
    await ask(pb.AddFaceRequest(image=obama, subject="ann"))
    gone = await ask(pb.DeleteSubjectRequest(subject="aNN"))
    assert (gone.subject, gone.faces, gone.revision) == ("Ann", 1, 2)
    await ask(pb.AddFaceRequest(image=obama, subject="Ben"))
    cleared = await ask(pb.ClearGalleryRequest())
    assert (cleared.subjects, cleared.faces, cleared.revision) == (1, 1, 4)


async def test_an_image_is_downloaded_byte_for_byte_and_not_to_be_cached(
    channel: grpc.aio.Channel, key: list[tuple[str, str]], ask: Ask, obama: bytes
) -> None:
    face_id = (await ask(pb.AddFaceRequest(image=obama, subject="Ann"))).face.face_id
    call = GalleryServiceStub(channel).GetFaceImage(pb.GetFaceImageRequest(face_id=face_id), metadata=key)
    assert (await call).data == obama
    assert dict(await call.initial_metadata())["cache-control"] == "no-store"


async def test_one_face_is_enrolled_and_no_other_number(ask: Ask, two_faces: bytes, no_face: bytes) -> None:
    await refusal(ask(pb.AddFaceRequest(image=no_face, subject="Ann")), faults.NoFace)
    facts = await refusal(ask(pb.AddFaceRequest(image=two_faces, subject="Ann")), faults.SeveralFaces)
    assert facts == {"faces": "2"}
    assert not (await ask(pb.ListSubjectsRequest())).subjects


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.AddFaceRequest(subject=""), "subject"),
        (pb.AddFaceRequest(subject=" \t"), "subject"),
        (pb.AddFaceRequest(subject="x" * 256), "subject"),
        (pb.AddFaceRequest(subject="a\0b"), "subject"),
        (pb.AddFaceRequest(subject="Ann", min_score=1.5), "min_score"),
        (pb.AddFaceRequest(subject="Ann", min_score=float("nan")), "min_score"),
        (pb.CreateSubjectRequest(subject="\0"), "subject"),
        (pb.ListFacesRequest(page_size=0), "page_size"),
        (pb.ListFacesRequest(page_size=1001), "page_size"),
        (pb.ListFacesRequest(page_token="²"), "page_token"),
        (pb.ListFacesRequest(page_token="9" * 30), "page_token"),
        (pb.ListSubjectsRequest(page_size=0), "page_size"),
        (pb.ListSubjectsRequest(page_token="a\0b"), "page_token"),
        (pb.DeleteFaceRequest(face_id=""), "face_id"),
        (pb.DeleteFaceRequest(face_id="image"), "face_id"),
        (pb.GetFaceImageRequest(face_id="image"), "face_id"),
        (recognition_pb2.RecognizeRequest(min_score=-0.1), "min_score"),
        (recognition_pb2.RecognizeRequest(max_matches=0), "max_matches"),
        (recognition_pb2.RecognizeRequest(max_matches=1001), "max_matches"),
        (recognition_pb2.RecognizeRequest(false_match_rate=0), "false_match_rate"),
        (recognition_pb2.RecognizeRequest(false_match_rate=0.11), "false_match_rate"),
        (recognition_pb2.RecognizeRequest(false_match_rate=float("nan")), "false_match_rate"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_an_argument_out_of_range_is_named(ask: Ask, request_: Any, field: str) -> None:
    assert await refusal(ask(request_), faults.ArgumentInvalid) == {"field": field}


@pytest.mark.parametrize(
    ("request_", "fault", "facts"),
    [
        (pb.DeleteFaceRequest(face_id=UNKNOWN), faults.FaceNotFound, {"face_id": UNKNOWN}),
        (pb.GetFaceImageRequest(face_id=UNKNOWN), faults.FaceNotFound, {"face_id": UNKNOWN}),
        (pb.DeleteSubjectRequest(subject="nobody"), faults.SubjectNotFound, {"subject": "nobody"}),
        (pb.DeleteSubjectRequest(subject="a\0b"), faults.SubjectNotFound, {"subject": "a\0b"}),
        (pb.AddFaceRequest(subject="x" * 255), faults.ImageUnreadable, {}),
        (pb.AddFaceRequest(image=b"GIF89a", subject="Ann"), faults.ImageUnreadable, {}),
        (recognition_pb2.RecognizeRequest(image=b"text"), faults.ImageUnreadable, {}),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
async def test_a_refusal_says_what_is_wrong(
    ask: Ask, request_: Any, fault: type[faults.Fault], facts: dict[str, str]
) -> None:
    assert await refusal(ask(request_), fault) == facts


async def test_embeddings_of_different_models_are_never_compared(
    ask: Ask, classifier: Classifier, key: list[tuple[str, str]], obama: bytes
) -> None:
    async with Database(classifier.database_url) as database:
        _, (caller,) = await find_caller(database, hash_of(key[0][1]), "recognition")
        assert caller.gallery_id
        face, _ = await enrol(GalleryStore(database), caller.gallery_id, "Ann")
    for request in (
        recognition_pb2.RecognizeRequest(image=obama),
        pb.AddFaceRequest(image=obama, subject="Ben"),
    ):
        facts = await refusal(ask(request), faults.ModelMismatch)
        assert facts["gallery_model"] == "a model"
    await ask(pb.DeleteFaceRequest(face_id=str(face.face_id)))
    await ask(pb.AddFaceRequest(image=obama, subject="Ben"))
