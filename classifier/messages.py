"""Values as messages of the native contract."""

from collections.abc import Iterable
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from classifier.decisions import Decision
from classifier.faces import Age, Floats, Found, Gender, Mask, Model, Pose, Quality, Step, Wear
from classifier.recognition import Match
from classifier.verification import ComparedFace, Likeness
from mien.v1 import face_pb2 as pb
from mien.v1 import gallery_pb2, recognition_pb2
from store.gallery import StoredFace
from store.receipts import Receipt
from store.revisions import Place

WEARS = {
    Wear.WITHOUT: pb.MASK_WEAR_WITHOUT,
    Wear.WITH: pb.MASK_WEAR_WITH,
    Wear.INCORRECT: pb.MASK_WEAR_INCORRECT,
}
HOMES: dict[Place | None, "gallery_pb2.Home.ValueType"] = {
    None: gallery_pb2.HOME_UNSPECIFIED,
    "memory": gallery_pb2.HOME_MEMORY,
    "database": gallery_pb2.HOME_DATABASE,
}


def face(found: Found, asked: Iterable[int]) -> pb.Face:
    """Embedding and quality, which other things need, only if they were asked for."""
    return pb.Face(
        box=pb.Box(**found.box._asdict()),
        landmarks=None if found.landmarks is None else _landmarks(found.landmarks),
        score=found.score,
        embedding=found.embedding.tolist() if pb.FACE_OUTPUT_EMBEDDING in asked else [],
        chip=found.chip,
        age=found.age and _age(found.age),
        gender=found.gender and _gender(found.gender),
        pose=found.pose and _pose(found.pose),
        quality=found.quality and _quality(found.quality) if pb.FACE_OUTPUT_QUALITY in asked else None,
        mask=found.mask and _mask(found.mask),
    )


def model(model: Model) -> pb.Model:
    return pb.Model(
        name=model.name,
        dimension=model.dimension,
        chip_size=model.chip_size,
        calibration=pb.Calibration(
            threshold=model.threshold,
            steepness=model.steepness,
            strangers=model.strangers and pb.Tail(**model.strangers._asdict()),
        ),
    )


def steps(steps: Iterable[Step]) -> list[pb.Step]:
    return [pb.Step(**step._asdict()) for step in steps]


def matches(matches: Iterable[Match]) -> list[recognition_pb2.Match]:
    return [
        recognition_pb2.Match(
            subject=match.subject,
            face_id=str(match.face_id),
            cosine=match.cosine,
            similarity=match.similarity,
        )
        for match in matches
    ]


def decision(decided: Decision | None) -> recognition_pb2.Decision | None:
    if decided is None:
        return None
    level, hit = decided.level, decided.hit
    return recognition_pb2.Decision(
        verdict=recognition_pb2.Verdict.Value(f"VERDICT_{decided.verdict.name}"),
        subject=hit.subject if hit else "",
        face_id=str(hit.face_id) if hit else "",
        threshold=level.threshold,
        false_match_rate=level.rate,
        strangers_as_similar=decided.as_similar,
        margin=decided.margin,
        least_margin=decided.least_margin,
        doubts=[recognition_pb2.Doubt.Value(f"DOUBT_{doubt.name}") for doubt in decided.doubts],
        basis=recognition_pb2.Basis.Value(f"BASIS_{level.basis.name}"),
    )


def compared(faces: Iterable[ComparedFace], asked: Iterable[int]) -> list[recognition_pb2.VerifiedFace]:
    return [
        recognition_pb2.VerifiedFace(
            face=face(found, asked), cosine=likeness.cosine, similarity=likeness.similarity
        )
        for found, likeness in faces
    ]


def likenesses(likenesses: Iterable[Likeness]) -> list[recognition_pb2.Likeness]:
    return [recognition_pb2.Likeness(**likeness._asdict()) for likeness in likenesses]


def stored_face(face: StoredFace) -> gallery_pb2.StoredFace:
    message = gallery_pb2.StoredFace(face_id=str(face.face_id), subject=face.subject)
    message.created_at.FromDatetime(face.created_at)
    return message


def receipt(receipt: Receipt) -> gallery_pb2.GetErasureReceiptResponse:
    told = receipt.details
    message = gallery_pb2.GetErasureReceiptResponse(
        receipt_id=str(receipt.id),
        revision=told["revision"],
        subjects=told["subjects"],
        faces=told["faces"],
        images=told["images"],
        complete=receipt.complete,
    )
    message.erased_at.FromDatetime(receipt.at)
    for each in receipt.replicas:
        replica = message.replicas.add(name=each.name)
        replica.seen_at.FromDatetime(each.seen_at)
        if each.passed_at:
            replica.passed_at.FromDatetime(each.passed_at)
    return message


def staleness(seconds: float) -> Duration | None:
    """None of what is fresh."""
    if not seconds:
        return None
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _landmarks(landmarks: Floats) -> pb.Landmarks:
    left_eye, right_eye, nose, left_mouth, right_mouth = (pb.Point(x=x, y=y) for x, y in landmarks.tolist())
    return pb.Landmarks(
        left_eye=left_eye,
        right_eye=right_eye,
        nose=nose,
        left_mouth=left_mouth,
        right_mouth=right_mouth,
    )


def _age(age: Age) -> pb.Age:
    return pb.Age(**age._asdict())


def _quality(quality: Quality) -> pb.Quality:
    return pb.Quality(**quality._asdict())


def _gender(gender: Gender) -> pb.Gender:
    return pb.Gender(sex=pb.SEX_MALE if gender.male else pb.SEX_FEMALE, probability=gender.probability)


def _mask(mask: Mask) -> pb.Mask:
    return pb.Mask(wear=WEARS[mask.wear], probability=mask.probability)


def _pose(pose: Pose) -> pb.Pose:
    return pb.Pose(**pose._asdict())
