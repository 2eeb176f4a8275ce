"""What a call may be refused with: the HTTP status, CompreFace's code, and the message."""

from collections.abc import Iterator
from typing import NamedTuple

from classifier.openapi.bodies import Kind, kind_of
from classifier.openapi.contract import Call
from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused, no_such_face, told, wrong_type
from classifier.rest.upload import FORM, JSON
from mien.v1 import access_pb2
from serving import faults


class Refusal(NamedTuple):
    status: int
    code: int
    message: str  # with an ellipsis for what varies


def refusals(call: Call) -> list[Refusal]:
    """All that this call may meet, by status and code."""
    return sorted(set(_of_call(call)))


def _of_call(call: Call) -> Iterator[Refusal]:
    if call.access != access_pb2.ACCESS_ANYBODY:
        service = access_pb2.Access.Name(call.access).removeprefix("ACCESS_").capitalize()
        yield _of(faults.ApiKeyUnknown, f"{service} service with API Key … not found")
        yield from (_of(faults.ApiKeyMissing), _of(faults.ApiKeyMalformed), *_KEY, *_STORE)
    yield from _BODIES.get(kind_of(call), ())
    for field in (*call.in_path, *call.in_query):
        if call.name != "ListFaces":  # it takes what it cannot read for absent
            yield from _PARAMETERS.get(field.name, ())
    yield from _CALLS.get(call.name, ())
    yield from _ENVOY


def _of(fault: type[faults.Fault], message: str = "") -> Refusal:
    status, code, text = told(fault)
    return Refusal(status, code, text or message)


def _as(refused: Refused) -> Refusal:
    return Refusal(refused.http, refused.number, str(refused))


def _invalid(message: str) -> Refusal:
    return Refusal(400, 26, message)


_SPENT = (
    _of(faults.ApiKeyGuessed, "too many API keys that open nothing came from this address; …"),
    _of(faults.RateExceeded, "this API key may make … requests a second; slow down"),
    _of(faults.QuotaExceeded, "this API key may have … a day; the next day begins at midnight UTC"),
)
_KEY = (_of(faults.ApiKeyScope, "this API key is not for that; send one with the scope …"), *_SPENT)
_UNREADABLE = Refusal(400, 0, SOMETHING_WENT_WRONG)
_STORE = (
    _of(faults.Overloaded, "every connection to the database is taken; try again with backoff"),
    _of(faults.StoreUnavailable, "the database cannot be reached; try again with backoff"),
)
_EMBEDDER = _of(faults.EmbedderUnavailable, "Error during synchronization between servers: …")
_BEHIND = _of(faults.GalleryBehind, "this replica is catching up with the gallery; try again")
_OTHER_MODEL = _of(faults.ModelMismatch, "the gallery was enrolled with the model …, this embedder has …")
_NO_SUCH_FACE = _as(no_such_face())
_EMPTY = Refusal(400, 5, "Field … cannot be empty")
_NO_SUCH_SUBJECT = _of(faults.SubjectNotFound, "Subject … not found")
_SUBJECT = (
    _invalid("Subject name is empty; "),
    _invalid("Subject name is too long; "),
    _invalid("Subject name has a NUL; "),
)
_NEW_SUBJECT = (
    _invalid("Subject name cannot be empty"),
    _invalid("Subject name size must be between 1 and 50"),
    Refusal(400, 36, r"The name cannot contain the following special characters: ';', '/', '\'"),
)

_ENVOY = (
    Refusal(503, 0, "No server can take the request at the moment; try again."),
    Refusal(504, 0, "The request took too long and was given up; try again."),
)
_LARGE = Refusal(413, 0, "The request is too large.")
_OPEN_BODY = (
    _UNREADABLE,
    _LARGE,
    Refusal(413, 0, "The request is too large; send at most … bytes"),
)
_BODIES: dict[Kind | None, tuple[Refusal, ...]] = {
    Kind.MESSAGE: (_UNREADABLE, _LARGE),
    Kind.JSON: (*_OPEN_BODY, _as(wrong_type("…", JSON))),
    Kind.IMAGES: (
        *_OPEN_BODY,
        _as(wrong_type("…", FORM, JSON)),
        _EMPTY,
        _of(faults.ImageTooLarge, "the image is … bytes; send at most …"),
        _of(faults.ImageTooLarge, "the image is … pixels; send at most … pixels"),
        Refusal(400, 21, "File […] has an unavailable extension"),
        Refusal(400, 21, "Provided value is not Base64"),
        _of(faults.NoFace),
        Refusal(400, 34, "Required part … is missing"),
        _of(faults.Overloaded, "every worker is busy and the queue is full: try again with backoff"),
        _EMBEDDER,
    ),
}
_PARAMETERS: dict[str, tuple[Refusal, ...]] = {
    "det_prob_threshold": (_UNREADABLE,),
    "detect_faces": (_UNREADABLE,),
    "image_id": (_UNREADABLE,),
    "limit": (_UNREADABLE, _invalid("Limit should be equal or greater than 0; ")),
    "min_face_size": (_UNREADABLE, _invalid("min_face_size should be equal or greater than 0; ")),
    "prediction_count": (_UNREADABLE, _invalid("prediction_count should be equal or greater than 1; ")),
    "similarity_threshold": (_UNREADABLE, _invalid("similarity_threshold should be from 0 to 1; ")),
    "status": (_UNREADABLE,),
    "unique_subjects": (_UNREADABLE,),
}
_EMBEDDINGS = (_EMPTY, _of(faults.ArgumentInvalid, "…: an embedding has … values"), _EMBEDDER)
_CALLS: dict[str, tuple[Refusal, ...]] = {
    "Verify": (_of(faults.SeveralFaces),),
    "VerifyEmbeddings": _EMBEDDINGS,
    "Recognize": (_OTHER_MODEL, _BEHIND),
    "RecognizeEmbeddings": (*_EMBEDDINGS, _OTHER_MODEL, _BEHIND),
    "AddFace": (
        _of(faults.SeveralFaces),
        Refusal(400, 33, "Required parameter subject is missing"),
        *_SUBJECT,
        _OTHER_MODEL,
        _of(faults.GalleryFull, "this API key may add faces until the gallery has …; erase some"),
    ),
    "DeleteFaces": _SUBJECT,
    "DeleteFace": (_of(faults.FaceNotFound, "Image … not found"),),
    "GetStaticImage": (*_SPENT, *_STORE),
    "VerifyFace": (_NO_SUCH_FACE, _OTHER_MODEL),
    "VerifyFaceEmbeddings": (*_EMBEDDINGS, _NO_SUCH_FACE, _OTHER_MODEL),
    "AddSubject": (*_NEW_SUBJECT, _of(faults.SubjectExists)),
    "RenameSubject": (*_NEW_SUBJECT, _NO_SUCH_SUBJECT),
    "DeleteSubject": (_NO_SUCH_SUBJECT,),
    "GetConsistency": (*_STORE, _EMBEDDER),
    "Migrate": (Refusal(403, 0, "Faces cannot be embedded anew over this API; ask who runs the server"),),
    "GetCoreStatus": (_EMBEDDER,),
}
