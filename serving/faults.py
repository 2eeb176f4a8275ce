"""What a caller can do wrong, or run into, and how it is told. One class for each ErrorReason."""

from typing import ClassVar

from grpc import StatusCode

from mien.v1 import errors_pb2 as pb


class Fault(Exception):
    """A refusal the caller can act on; the message says how. Anything else that escapes is INTERNAL.

    `facts` become the metadata of the ErrorInfo, as the contract lists them for the reason; they must
    not hold a key or anything of a face.
    """

    code: ClassVar[StatusCode]
    reason: ClassVar["pb.ErrorReason.ValueType"]

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = {name: str(value) for name, value in facts.items()}


class ApiKeyMissing(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_API_KEY_MISSING


class ApiKeyMalformed(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_API_KEY_MALFORMED


class ApiKeyUnknown(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_API_KEY_UNKNOWN


class ArgumentInvalid(Fault):
    code = StatusCode.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_ARGUMENT_INVALID


class ImageUnreadable(Fault):
    code = StatusCode.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_IMAGE_UNREADABLE


class ImageTooLarge(Fault):
    code = StatusCode.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_IMAGE_TOO_LARGE


class NoFace(Fault):
    code = StatusCode.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_NO_FACE


class SeveralFaces(Fault):
    code = StatusCode.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_SEVERAL_FACES


class FaceNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_FACE_NOT_FOUND


class SubjectNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_SUBJECT_NOT_FOUND


class SubjectExists(Fault):
    code = StatusCode.ALREADY_EXISTS
    reason = pb.ERROR_REASON_SUBJECT_EXISTS


class ModelMismatch(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_MODEL_MISMATCH


class Overloaded(Fault):
    """Nothing was done. `retry_after` says, in seconds, when there may be room."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_OVERLOADED

    def __init__(self, message: str, retry_after: float = 0.1, **facts: object) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class StoreUnavailable(Fault):
    code = StatusCode.UNAVAILABLE
    reason = pb.ERROR_REASON_STORE_UNAVAILABLE


class EmbedderUnavailable(Fault):
    code = StatusCode.UNAVAILABLE
    reason = pb.ERROR_REASON_EMBEDDER_UNAVAILABLE


class GalleryBehind(Fault):
    code = StatusCode.UNAVAILABLE
    reason = pb.ERROR_REASON_GALLERY_BEHIND


class IdempotencyKeyUsed(Fault):
    code = StatusCode.ALREADY_EXISTS
    reason = pb.ERROR_REASON_IDEMPOTENCY_KEY_USED


class ImageNotKept(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_IMAGE_NOT_KEPT


class GalleryTooLarge(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_GALLERY_TOO_LARGE


class RevisionUnknown(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_REVISION_UNKNOWN


class PgvectorMissing(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_PGVECTOR_MISSING
