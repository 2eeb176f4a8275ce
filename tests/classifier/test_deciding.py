"""Decisions of a running classifier, with a real embedder and a real Postgres."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import psycopg
import pytest
from PIL import Image, ImageFilter

from mien.v1 import face_pb2, gallery_pb2
from mien.v1 import recognition_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from store.keys import hash_of
from tests.classifier.conftest import Classifier, pixels, saved

Ask = Callable[..., Awaitable[Any]]
Enrol = Callable[[str, bytes], Awaitable[str]]


@pytest.fixture
def ask(channel: grpc.aio.Channel, key: list[tuple[str, str]]) -> Ask:
    """Recognises an image, and decides."""
    stub = RecognitionServiceStub(channel)

    def ask(image: bytes, **fields: Any) -> Awaitable[Any]:
        request = pb.RecognizeRequest(image=image, decide=True, **fields)
        return stub.Recognize(request, metadata=key)  # type: ignore[no-any-return]

    return ask


@pytest.fixture
def enrol(channel: grpc.aio.Channel, key: list[tuple[str, str]]) -> Enrol:
    """Enrols an image, and tells the face's id."""
    stub = GalleryServiceStub(channel)

    async def enrol(subject: str, image: bytes) -> str:
        request = gallery_pb2.AddFaceRequest(image=image, subject=subject)
        return (await stub.AddFace(request, metadata=key)).face.face_id  # type: ignore[no-any-return]

    return enrol


async def test_who_is_enrolled_is_matched_and_a_stranger_is_unknown(
    ask: Ask, enrol: Enrol, obama: bytes, two_faces: bytes
) -> None:
    face_id = await enrol("Obama", obama)
    await enrol("Obama again", saved(pixels("obama2")))
    left, right = sorted((await ask(two_faces)).faces, key=lambda face: face.face.box.left)
    known, stranger = left.decision, right.decision
    assert (known.verdict, known.subject, known.face_id) == (pb.VERDICT_MATCH, "Obama", face_id)
    assert known.basis == pb.BASIS_MODEL
    assert known.false_match_rate == 0.001
    assert known.strangers_as_similar < 0.001 < stranger.strangers_as_similar
    assert left.matches[0].cosine >= known.threshold > right.matches[0].cosine
    assert known.margin >= known.least_margin > 0
    assert (stranger.verdict, stranger.subject, stranger.face_id) == (pb.VERDICT_UNKNOWN, "", "")
    assert not stranger.HasField("margin")
    assert stranger.threshold == known.threshold


async def test_one_person_under_two_names_is_ambiguous(ask: Ask, enrol: Enrol, obama: bytes) -> None:
    await enrol("Obama", obama)
    await enrol("Barack", obama)
    (face,) = (await ask(obama)).faces
    assert face.decision.verdict == pb.VERDICT_AMBIGUOUS
    assert face.decision.margin < face.decision.least_margin
    assert len(face.matches) == 1


async def test_nobody_is_decided_on_twice_if_that_is_asked(ask: Ask, enrol: Enrol, obama: bytes) -> None:
    await enrol("Obama", obama)
    # He and his mirror image, which is a little less like him.
    portrait = pixels("obama")
    both = Image.new("RGB", (2 * portrait.width, portrait.height))
    both.paste(portrait, (0, 0))
    both.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (portrait.width, 0))
    twice = [face.decision.verdict for face in (await ask(saved(both))).faces]
    assert twice == [pb.VERDICT_MATCH] * 2
    once = [face.decision.verdict for face in (await ask(saved(both), unique_subjects=True)).faces]
    assert once.count(pb.VERDICT_MATCH) <= 1
    assert once != twice


async def test_the_rate_is_the_policys_unless_the_request_has_one(
    ask: Ask, enrol: Enrol, classifier: Classifier, key: list[tuple[str, str]], obama: bytes
) -> None:
    await enrol("Obama", obama)
    by_default = (await ask(obama)).faces[0].decision
    with psycopg.connect(classifier.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE galleries SET false_match_rate = 0.05 FROM keys"
            " WHERE galleries.service_id = keys.service_id AND key_hash = %s",
            (hash_of(key[0][1]),),
        )
    by_policy = (await ask(obama)).faces[0].decision
    by_request = (await ask(obama, false_match_rate=0.0001)).faces[0].decision
    assert by_policy.false_match_rate == 0.05
    assert by_request.false_match_rate == 0.0001
    assert by_policy.threshold < by_default.threshold < by_request.threshold


async def test_a_blurred_face_is_doubted_and_its_quality_told_only_if_asked_for(
    ask: Ask, enrol: Enrol, obama: bytes
) -> None:
    await enrol("Obama", obama)
    blurred = saved(pixels("obama").filter(ImageFilter.GaussianBlur(4)))
    (face,) = (await ask(blurred)).faces
    assert pb.DOUBT_BLURRED in face.decision.doubts
    assert not face.face.HasField("quality")
    assert not (await ask(obama)).faces[0].decision.doubts
    (face,) = (await ask(blurred, outputs=[face_pb2.FACE_OUTPUT_QUALITY])).faces
    assert face.face.quality.sharpness < 0.5


async def test_nothing_is_decided_unless_it_is_asked_for(
    channel: grpc.aio.Channel, key: list[tuple[str, str]], enrol: Enrol, obama: bytes
) -> None:
    await enrol("Obama", obama)
    stub = RecognitionServiceStub(channel)
    request = pb.RecognizeRequest(image=obama, false_match_rate=0.01, unique_subjects=True)
    answer = await stub.Recognize(request, metadata=key)
    assert not answer.faces[0].HasField("decision")
    assert "quality" not in [step.name for step in answer.steps]


async def test_embeddings_are_decided_on_too_and_an_empty_gallery_knows_nobody(
    channel: grpc.aio.Channel, key: list[tuple[str, str]], ask: Ask, enrol: Enrol, obama: bytes
) -> None:
    (face,) = (await ask(obama, include_embedding=True)).faces
    assert face.decision.verdict == pb.VERDICT_UNKNOWN
    assert not face.decision.HasField("strangers_as_similar")
    await enrol("Obama", obama)
    embedding = pb.Embedding(values=face.face.embedding)
    request = pb.RecognizeEmbeddingsRequest(embeddings=[embedding, embedding], decide=True)
    stub = RecognitionServiceStub(channel)
    answer = await stub.RecognizeEmbeddings(request, metadata=key)
    assert [each.decision.subject for each in answer.results] == ["Obama"] * 2
    request.unique_subjects = True
    answer = await stub.RecognizeEmbeddings(request, metadata=key)
    assert [each.decision.verdict for each in answer.results] == [pb.VERDICT_AMBIGUOUS] * 2
