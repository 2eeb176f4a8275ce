"""CompreFaceService: from CompreFace's wire to the native functions and back."""

from classifier.rest.detection import Detection
from classifier.rest.faces import Faces
from classifier.rest.recognition import Recognition
from classifier.rest.status import Status
from classifier.rest.subjects import Subjects
from classifier.rest.verification import Verification
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceServicer


class CompreFace(Detection, Verification, Recognition, Faces, Subjects, Status, CompreFaceServiceServicer):
    """All paths, by what they are about."""
