"""Faces and models as the contract words them."""

from embedder.age import Age
from embedder.detector import Floats
from embedder.gender import Gender, Sex
from embedder.mask import Mask, Wear
from embedder.pack import Pack
from embedder.pipeline import Analysis
from embedder.pose import Pose
from embedder.quality import Quality
from mien.v1 import face_pb2

SEXES = {Sex.FEMALE: face_pb2.SEX_FEMALE, Sex.MALE: face_pb2.SEX_MALE}
WEARS = {
    Wear.WITHOUT: face_pb2.MASK_WEAR_WITHOUT,
    Wear.WITH: face_pb2.MASK_WEAR_WITH,
    Wear.INCORRECT: face_pb2.MASK_WEAR_INCORRECT,
}


def to_face(analysis: Analysis, each: int) -> face_pb2.Face:
    """The face that comes at `each` in an analysis."""
    left, top, width, height = analysis.faces.boxes[each].tolist()
    landmarks = analysis.faces.landmarks
    return face_pb2.Face(
        box=face_pb2.Box(left=left, top=top, width=width, height=height),
        landmarks=_landmarks(landmarks[each]) if len(landmarks) else None,
        score=analysis.faces.scores[each],
        embedding=analysis.embeddings[each].tolist() if analysis.embeddings else None,
        chip=analysis.chips[each].tobytes() if analysis.chips else b"",
        age=_age(analysis.ages[each]) if analysis.ages else None,
        gender=_gender(analysis.genders[each]) if analysis.genders else None,
        pose=_pose(analysis.poses[each]) if analysis.poses else None,
        quality=_quality(analysis.qualities[each]) if analysis.qualities else None,
        mask=_mask(analysis.masks[each]) if analysis.masks else None,
    )


def to_model(pack: Pack) -> face_pb2.Model:
    """What clients need to know of a pack."""
    return face_pb2.Model(
        name=pack.name,
        dimension=pack.dimension,
        chip_size=pack.chip_size,
        calibration=face_pb2.Calibration(
            **pack.calibration._asdict(),
            strangers=pack.strangers and face_pb2.Tail(**pack.strangers._asdict()),
        ),
    )


def _landmarks(points: Floats) -> face_pb2.Landmarks:
    left_eye, right_eye, nose, left_mouth, right_mouth = (
        face_pb2.Point(x=x, y=y) for x, y in points.tolist()
    )
    return face_pb2.Landmarks(
        left_eye=left_eye,
        right_eye=right_eye,
        nose=nose,
        left_mouth=left_mouth,
        right_mouth=right_mouth,
    )


def _age(age: Age) -> face_pb2.Age:
    return face_pb2.Age(low=age.low, high=age.high, probability=age.probability)


def _gender(gender: Gender) -> face_pb2.Gender:
    return face_pb2.Gender(sex=SEXES[gender.sex], probability=gender.probability)


def _mask(mask: Mask) -> face_pb2.Mask:
    return face_pb2.Mask(wear=WEARS[mask.wear], probability=mask.probability)


def _pose(pose: Pose | None) -> face_pb2.Pose | None:
    return pose and face_pb2.Pose(pitch=pose.pitch, yaw=pose.yaw, roll=pose.roll)


def _quality(quality: Quality) -> face_pb2.Quality:
    return face_pb2.Quality(value=quality.value, **quality._asdict())
