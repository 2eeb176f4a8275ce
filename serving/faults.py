"""What a caller can do wrong, or run into, and how it is told. One class for each ErrorReason."""

from typing import ClassVar

from grpc import StatusCode

from mien.v1 import errors_pb2 as pb


class Fault(Exception):
    """A refusal the caller can act on; the message says how. Anything else that escapes is INTERNAL.

    `facts` become the metadata of the ErrorInfo, as the contract lists them for the reason; they must
    not hold a key or anything of a face. `retry_after` says, in seconds, when to try again may help; None:
    nobody knows, or it does not.
    """

    code: ClassVar[StatusCode]
    reason: ClassVar["pb.ErrorReason.ValueType"]
    wait: ClassVar[float | None] = None  # `retry_after`, where it is not said

    def __init__(self, message: str, retry_after: float | None = None, **facts: object) -> None:
        super().__init__(message)
        self.retry_after = self.wait if retry_after is None else retry_after
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
    """Nothing was done."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_OVERLOADED
    wait = 0.1


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


class ApiKeyScope(Fault):
    code = StatusCode.PERMISSION_DENIED
    reason = pb.ERROR_REASON_API_KEY_SCOPE


class ApiKeyGuessed(Fault):
    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_API_KEY_GUESSED


class RateExceeded(Fault):
    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_RATE_EXCEEDED


class QuotaExceeded(Fault):
    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_QUOTA_EXCEEDED


class GalleryFull(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_GALLERY_FULL


class ReceiptNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_RECEIPT_NOT_FOUND


class SignInRequired(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_SIGN_IN_REQUIRED


class CredentialsWrong(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_CREDENTIALS_WRONG


class TooManyAttempts(Fault):
    code = StatusCode.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_TOO_MANY_ATTEMPTS
    wait = 1.0


class RoleInsufficient(Fault):
    code = StatusCode.PERMISSION_DENIED
    reason = pb.ERROR_REASON_ROLE_INSUFFICIENT


class ApplicationNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_APPLICATION_NOT_FOUND


class ServiceNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_SERVICE_NOT_FOUND


class UserNotFound(Fault):
    code = StatusCode.NOT_FOUND
    reason = pb.ERROR_REASON_USER_NOT_FOUND


class NameTaken(Fault):
    code = StatusCode.ALREADY_EXISTS
    reason = pb.ERROR_REASON_NAME_TAKEN


class EmailTaken(Fault):
    code = StatusCode.ALREADY_EXISTS
    reason = pb.ERROR_REASON_EMAIL_TAKEN


class MemberExists(Fault):
    code = StatusCode.ALREADY_EXISTS
    reason = pb.ERROR_REASON_MEMBER_EXISTS


class OwnRole(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_OWN_ROLE


class ResetTokenInvalid(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_RESET_TOKEN_INVALID


class MailOff(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_MAIL_OFF


class PasswordWrong(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_PASSWORD_WRONG


class OtherSite(Fault):
    code = StatusCode.PERMISSION_DENIED
    reason = pb.ERROR_REASON_OTHER_SITE


class SignUpClosed(Fault):
    code = StatusCode.PERMISSION_DENIED
    reason = pb.ERROR_REASON_SIGN_UP_CLOSED


class ProviderRefused(Fault):
    code = StatusCode.UNAUTHENTICATED
    reason = pb.ERROR_REASON_PROVIDER_REFUSED


class ProviderUnavailable(Fault):
    code = StatusCode.UNAVAILABLE
    reason = pb.ERROR_REASON_PROVIDER_UNAVAILABLE


class ProviderOff(Fault):
    code = StatusCode.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_PROVIDER_OFF
