"""Reads the fields of native requests: from here on a value is of its type and in its range."""

from collections.abc import Iterable
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from classifier.analysis import Wanted
from classifier.galleries import Freshness
from classifier.recognition import Deciding, Search
from mien.v1 import face_pb2, gallery_pb2, recognition_pb2
from serving.faults import ArgumentInvalid
from store.revisions import Place

LONGEST_NAME = 255  # characters
LONGEST_KEY = 255  # characters
PAGE_SIZE = 100
LARGEST_PAGE = 1000
MOST_MATCHES = 1000
MOST_IDS = 10_000
# As services.set_policy and the schema have it.
RATES = 1e-5, 0.1  # of strangers that may be taken for somebody


def wanted(
    request: recognition_pb2.DetectRequest
    | recognition_pb2.RecognizeRequest
    | recognition_pb2.VerifyRequest
    | recognition_pb2.VerifyFaceRequest,
) -> Wanted:
    """What a request asks of an image. An output that this server does not know is passed over."""
    known = face_pb2.FaceOutput.values()
    return Wanted(
        min_score(request.min_score if request.HasField("min_score") else None),
        request.max_faces,
        request.min_face_size,
        outputs=[each for each in request.outputs if each in known],
    )


def enrolled(request: gallery_pb2.AddFaceRequest | gallery_pb2.AddFacesRequest) -> Wanted:
    """What a request asks of an image to enrol."""
    score = min_score(request.min_score if request.HasField("min_score") else None)
    return Wanted(score, min_face_size=request.min_face_size)


def search(
    request: recognition_pb2.RecognizeRequest | recognition_pb2.RecognizeEmbeddingsRequest,
) -> Search:
    """What a request asks of a gallery."""
    count = request.max_matches if request.HasField("max_matches") else 1
    if not 0 <= request.min_similarity <= 1:  # NaN is neither
        raise ArgumentInvalid("min_similarity is a number from 0 to 1", field="min_similarity")
    most = in_range("max_matches", count, 1, MOST_MATCHES)
    rate = request.false_match_rate if request.HasField("false_match_rate") else None
    if rate is not None and not RATES[0] <= rate <= RATES[1]:
        raise ArgumentInvalid(
            f"false_match_rate is a number from {RATES[0]} to {RATES[1]}", field="false_match_rate"
        )
    deciding = Deciding(rate, request.unique_subjects) if request.decide else None
    return Search(most, min_similarity=request.min_similarity, deciding=deciding, exact=request.exact)


def home(request: gallery_pb2.MoveGalleryRequest) -> Place:
    """Where a gallery shall be."""
    homes: dict[int, Place] = {gallery_pb2.HOME_MEMORY: "memory", gallery_pb2.HOME_DATABASE: "database"}
    if request.home not in homes:
        raise ArgumentInvalid("home is HOME_MEMORY or HOME_DATABASE", field="home")
    return homes[request.home]


def freshness(
    request: recognition_pb2.RecognizeRequest | recognition_pb2.RecognizeEmbeddingsRequest,
) -> Freshness:
    """How fresh a gallery a request asks for."""
    return Freshness(request.min_revision, _seconds("max_staleness", request.max_staleness))


def _seconds(field: str, duration: Duration) -> float:
    if duration.seconds < 0 or not 0 <= duration.nanos < 1_000_000_000:
        raise ArgumentInvalid(f"{field} is a duration of 0 or more", field=field)
    return duration.seconds + duration.nanos / 1e9


def min_score(value: float | None) -> float | None:
    if value is not None and not 0 <= value <= 1:
        raise ArgumentInvalid("min_score is a number from 0 to 1", field="min_score")
    return value


def in_range(field: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ArgumentInvalid(f"{field} is an integer from {least} to {most}", field=field)
    return value


def subject(name: str, field: str = "subject") -> str:
    if not name.strip() or len(name) > LONGEST_NAME or "\0" in name:
        raise ArgumentInvalid(
            f"{field} is a name of 1 to {LONGEST_NAME} characters, not all blank, none of them NUL",
            field=field,
        )
    return name


def idempotency_key(text: str) -> str | None:
    if len(text) > LONGEST_KEY or "\0" in text:
        raise ArgumentInvalid(
            f"idempotency_key has up to {LONGEST_KEY} characters, none of them NUL", field="idempotency_key"
        )
    return text or None


def face_id(text: str, field: str = "face_id") -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentInvalid(f"{field} is a UUID, as AddFace answered it", field=field) from None


def receipt_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentInvalid("receipt_id is a UUID, as an erasure answered it", field="receipt_id") from None


def face_ids(texts: Iterable[str]) -> list[UUID]:
    ids = [face_id(text, "face_ids") for text in texts]
    if not 1 <= len(ids) <= MOST_IDS:
        raise ArgumentInvalid(f"face_ids has 1 to {MOST_IDS} ids", field="face_ids")
    return ids


def page_number(token: str) -> int:
    """What a page token of ours stands for; 0 for the first page."""
    if not token:
        return 0
    if not (token.isascii() and token.isdecimal() and len(token) < 19):
        raise _strange_token()
    return int(token)


def page_name(token: str) -> str:
    """The name that a page token of ours stands for; empty for the first page."""
    if "\0" in token:
        raise _strange_token()
    return token


def _strange_token() -> ArgumentInvalid:
    return ArgumentInvalid("page_token is the next_page_token of the page before", field="page_token")
