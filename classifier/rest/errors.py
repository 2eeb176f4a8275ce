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

# The calls' codes, by the HTTP status that Envoy makes of them.
BAD_REQUEST, NOT_FOUND = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND
BUSY, SERVER_ERROR, AWAY = StatusCode.RESOURCE_EXHAUSTED, StatusCode.INTERNAL, StatusCode.UNAVAILABLE

SOMETHING_WENT_WRONG = "Something went wrong, please try again"


class Refused(faults.ArgumentInvalid):
    """A request that CompreFace refuses with HTTP status 400, `number` and this message."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class _Told(NamedTuple):
    code: StatusCode
    number: int
    message: str | Callable[[Fault, Context], str]


def tell(exception: Exception, context: Context) -> tuple[StatusCode, status_pb2.Status]:
    """The code of the call, and the Status whose code and message become the JSON body."""
    told = _TOLD.get(type(exception), _Told(BAD_REQUEST, 0, SOMETHING_WENT_WRONG))
    match exception, told.message:
        case Refused(), _:
            number, message = exception.number, str(exception)
        case Fault(), str(text):
            number, message = told.number, text
        case Fault(), write if callable(write):
            number, message = told.number, write(exception, context)
        case _:
            number, message = told.number, SOMETHING_WENT_WRONG
    return told.code, status_pb2.Status(code=number, message=message)


def _as_it_is(fault: Fault, _: Context) -> str:
    return str(fault)


def _no_such_key(_: Fault, context: Context) -> str:
    key = dict(context.invocation_metadata() or ())["x-api-key"]  # else it were missing
    return f"Recognition service with API Key {key!s} not found"


# CompreFace calls an image it cannot read, or a threshold no face can reach, an image without a face.
_NO_FACE = _Told(BAD_REQUEST, 28, "No face is found in the given image")

_TOLD: dict[type[Exception], _Told] = {
    faults.ApiKeyMissing: _Told(BAD_REQUEST, 20, "Missing header: x-api-key"),
    faults.ApiKeyMalformed: _Told(BAD_REQUEST, 26, "Service API key should be UUID"),
    faults.ApiKeyUnknown: _Told(NOT_FOUND, 10, _no_such_key),
    faults.ArgumentInvalid: _Told(BAD_REQUEST, 26, _as_it_is),
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
    Refused: _Told(BAD_REQUEST, 26, _as_it_is),
}
