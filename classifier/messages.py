"""Values as messages of the native contract."""

from classifier.analysis import Found, Model
from mien.v1 import face_pb2 as pb
from mien.v1 import gallery_pb2
from store.gallery import StoredFace


def found_face(found: Found, *, with_embedding: bool) -> pb.Face:
    points = [pb.Point(x=x, y=y) for x, y in found.landmarks.tolist()]
    return pb.Face(
        box=pb.Box(**found.box._asdict()),
        landmarks=pb.Landmarks(
            left_eye=points[0],
            right_eye=points[1],
            nose=points[2],
            left_mouth=points[3],
            right_mouth=points[4],
        ),
        score=found.score,
        embedding=found.embedding.tolist() if with_embedding else [],
    )


def model(model: Model) -> pb.Model:
    return pb.Model(
        name=model.name,
        dimension=model.dimension,
        chip_size=model.chip_size,
        calibration=pb.Calibration(threshold=model.threshold, steepness=model.steepness),
    )


def stored_face(face: StoredFace) -> gallery_pb2.StoredFace:
    message = gallery_pb2.StoredFace(face_id=str(face.face_id), subject=face.subject)
    message.created_at.FromDatetime(face.created_at)
    return message
