"""How clients of CompreFace are told what went wrong: its HTTP statuses, codes and messages.

The code of the google.rpc.Status is CompreFace's number and not gRPC's: Envoy writes it into the JSON
body, while the HTTP status follows from the call's own code.
"""

from collections.abc import Callable
from typing import NamedTuple

from google.rpc import status_pb2
from grpc import StatusCode

from serving import faults
from serving.faults import Fault
from serving.guard import Context
from serving.refusals import Told

# The calls' codes, by the HTTP status that Envoy makes of them.
BAD_REQUEST, DENIED, NOT_FOUND = (
    StatusCode.INVALID_ARGUMENT,
    StatusCode.PERMISSION_DENIED,
    StatusCode.NOT_FOUND,
)
BUSY, SERVER_ERROR, AWAY = StatusCode.RESOURCE_EXHAUSTED, StatusCode.INTERNAL, StatusCode.UNAVAILABLE

_HTTP = {BAD_REQUEST: 400, DENIED: 403, NOT_FOUND: 404, BUSY: 429, SERVER_ERROR: 500, AWAY: 503}

SOMETHING_WENT_WRONG = "Something went wrong, please try again"


class Refused(faults.ArgumentInvalid):
    """A request that CompreFace refuses with this HTTP status, `number` as its code and this message."""

    def __init__(self, number: int, message: str, http: int = 400) -> None:
        super().__init__(message)
        self.number = number
        self.http = http


def wrong_type(kind: str, *taken: str) -> Refused:
    return Refused(0, f"Content type '{kind}' not supported: send {' or '.join(taken)}", 415)


def too_large(most: int) -> Refused:
    return Refused(0, f"The request is too large; send at most {most} bytes", 413)


def forbidden(message: str) -> Refused:
    return Refused(0, message, 403)


def no_such_face() -> Refused:
    """What a comparison says of an enrolled face that is not there."""
    return Refused(44, "Image Id is incorrect", 404)


class _Told(NamedTuple):
    code: StatusCode
    number: int
    message: str | Callable[[Fault, Context], str]


def tell(exception: Exception, context: Context) -> Told:
    """The code of the call, and the Status whose code and message become the JSON body."""
    if isinstance(exception, Refused):
        # Where no code of gRPC stands for the HTTP status, Envoy is told of it.
        code = {403: DENIED, 404: NOT_FOUND}.get(exception.http, BAD_REQUEST)
        headers = (("x-http-status", str(exception.http)),) if exception.http in (413, 415) else ()
        return Told(code, status_pb2.Status(code=exception.number, message=str(exception)), headers)
    told = _TOLD.get(type(exception), _Told(BAD_REQUEST, 0, SOMETHING_WENT_WRONG))
    if isinstance(exception, Fault) and callable(told.message):
        message = told.message(exception, context)
    else:
        message = str(told.message)
    return Told(told.code, status_pb2.Status(code=told.number, message=message))


def told(kind: type[Fault]) -> tuple[int, int, str | None]:
    """The HTTP status, the code and, unless it varies, the message that tell of a kind of fault."""
    told = _TOLD[kind]
    return _HTTP[told.code], told.number, told.message if isinstance(told.message, str) else None


def _as_it_is(fault: Fault, _: Context) -> str:
    return str(fault)


def _no_such_key(fault: Fault, context: Context) -> str:
    key = dict(context.invocation_metadata() or ())["x-api-key"]  # else it were missing
    return f"{fault.facts['service_type'].capitalize()} service with API Key {key!s} not found"


# CompreFace calls an image it cannot read, or a threshold no face can reach, an image without a face.
_NO_FACE = _Told(BAD_REQUEST, 28, "No face is found in the given image")

_TOLD: dict[type[Exception], _Told] = {
    faults.ApiKeyMissing: _Told(BAD_REQUEST, 20, "Missing header: x-api-key"),
    faults.ApiKeyMalformed: _Told(BAD_REQUEST, 26, "Service API key should be UUID"),
    faults.ApiKeyUnknown: _Told(NOT_FOUND, 10, _no_such_key),
    faults.ApiKeyScope: _Told(DENIED, 0, _as_it_is),
    faults.ApiKeyGuessed: _Told(BUSY, 0, _as_it_is),
    faults.RateExceeded: _Told(BUSY, 0, _as_it_is),
    faults.QuotaExceeded: _Told(BUSY, 0, _as_it_is),
    faults.GalleryFull: _Told(BAD_REQUEST, 0, _as_it_is),
    faults.ArgumentInvalid: _Told(BAD_REQUEST, 0, _as_it_is),  # embeddings that cannot be compared
    faults.ImageUnreadable: _NO_FACE,
    faults.ImageTooLarge: _Told(BAD_REQUEST, 0, _as_it_is),
    faults.NoFace: _NO_FACE,
    faults.SeveralFaces: _Told(BAD_REQUEST, 31, "More than one face in the source image"),
    faults.FaceNotFound: _Told(NOT_FOUND, 44, lambda fault, _: f"Image {fault.facts['face_id']} not found"),
    faults.SubjectNotFound: _Told(
        NOT_FOUND, 42, lambda fault, _: f"Subject {fault.facts['subject']} not found"
    ),
    faults.SubjectExists: _Told(BAD_REQUEST, 43, "Subject already exists"),
    faults.ModelMismatch: _Told(BAD_REQUEST, 0, _as_it_is),
    faults.Overloaded: _Told(BUSY, 0, _as_it_is),
    faults.StoreUnavailable: _Told(AWAY, 0, _as_it_is),
    faults.EmbedderUnavailable: _Told(
        AWAY, 41, lambda fault, _: f"Error during synchronization between servers: {fault}"
    ),
    faults.GalleryBehind: _Told(AWAY, 0, _as_it_is),
    faults.IdempotencyKeyUsed: _Told(BAD_REQUEST, 0, _as_it_is),  # its clients send no key
    faults.ImageNotKept: _Told(NOT_FOUND, 44, lambda fault, _: f"Image {fault.facts['face_id']} not found"),
    faults.ReceiptNotFound: _Told(NOT_FOUND, 0, _as_it_is),  # none of its clients can ask for one
    faults.GalleryTooLarge: _Told(AWAY, 0, _as_it_is),
    faults.RevisionUnknown: _Told(BAD_REQUEST, 0, _as_it_is),  # none of its clients can ask for one
    faults.PgvectorMissing: _Told(BAD_REQUEST, 0, _as_it_is),  # none of its clients can move a gallery
}
