"""Bad input gets a clear, typed error, by REST and by gRPC alike."""

import base64
from uuid import uuid4

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.mesh.conftest import Mesh

NOBODY = str(uuid4())


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    assert list(answer.json()) == ["message", "code"], answer.text
    return answer.status_code, answer.json()["code"], answer.json()["message"]


def upload(image: bytes, name: str = "image.jpg") -> dict[str, tuple[str, bytes]]:
    return {"file": (name, image)}


SOMETHING = "Something went wrong, please try again"
NO_FACE = (400, 28, "No face is found in the given image")


def test_no_key(mesh: Mesh) -> None:
    answer = httpx.get(f"{mesh.url}/api/v1/recognition/faces")
    assert refusal(answer) == (400, 20, "Missing header: x-api-key")


@pytest.mark.parametrize("key", ["x", "not-a-uuid-but-as-long-as-a-key-is-36", "x" * 36, ""])
def test_a_malformed_key(mesh: Mesh, key: str) -> None:
    answer = httpx.get(f"{mesh.url}/api/v1/recognition/faces", headers={"x-api-key": key})
    assert refusal(answer) in [
        (400, 26, "Service API key should be UUID"),
        (400, 20, "Missing header: x-api-key"),
    ]


def test_an_unknown_key_and_the_key_of_another_type_are_told_the_same(mesh: Mesh) -> None:
    for key in (NOBODY, mesh.key(f"detects {uuid4()}", "detection")):
        answer = httpx.get(f"{mesh.url}/api/v1/recognition/faces", headers={"x-api-key": key})
        assert refusal(answer) == (404, 10, f"Recognition service with API Key {key} not found")


def test_not_an_image(rest: httpx.Client) -> None:
    assert refusal(rest.post("/recognize", files=upload(b"plain text"))) == NO_FACE


def test_a_truncated_image(rest: httpx.Client, obama: bytes) -> None:
    assert refusal(rest.post("/recognize", files=upload(obama[: len(obama) // 2]))) == NO_FACE


def test_an_empty_file(rest: httpx.Client) -> None:
    assert refusal(rest.post("/recognize", files=upload(b""))) == NO_FACE


def test_no_face(rest: httpx.Client, no_face: bytes) -> None:
    assert refusal(rest.post("/recognize", files=upload(no_face, "noise.png"))) == NO_FACE
    assert refusal(rest.post("/faces?subject=A", files=upload(no_face, "noise.png"))) == NO_FACE
    assert rest.get("/subjects").json() == {"subjects": []}


def test_two_faces_on_enrol(rest: httpx.Client, two_faces: bytes) -> None:
    answer = rest.post("/faces?subject=A", files=upload(two_faces))
    assert refusal(answer) == (400, 31, "More than one face in the source image")


def test_a_body_of_30_megabytes(rest: httpx.Client) -> None:
    status, code, message = refusal(rest.post("/recognize", files=upload(bytes(30 << 20))))
    assert (status, code) == (413, 0)
    assert message


def test_a_negative_limit(rest: httpx.Client, obama: bytes) -> None:
    answer = rest.post("/recognize?limit=-1", files=upload(obama))
    assert refusal(answer) == (400, 26, "Limit should be equal or greater than 0; ")


def test_broken_base64(rest: httpx.Client) -> None:
    answer = rest.post("/recognize", json={"file": "§§§"})
    assert refusal(answer) == (400, 21, "Provided value is not Base64")


def test_broken_json(rest: httpx.Client) -> None:
    answer = rest.post("/recognize", content=b'{"file":', headers={"content-type": "application/json"})
    assert refusal(answer) == (400, 0, SOMETHING)
    answer = rest.post("/subjects", content=b'{"subject":', headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert list(answer.json()) == ["message", "code"]


def test_an_id_that_is_no_uuid(rest: httpx.Client) -> None:
    assert refusal(rest.delete("/faces/seven")) == (400, 0, SOMETHING)


def test_an_unknown_id(rest: httpx.Client) -> None:
    assert refusal(rest.delete(f"/faces/{NOBODY}")) == (404, 44, f"Image {NOBODY} not found")


def test_subjects_that_cannot_be(rest: httpx.Client) -> None:
    assert refusal(rest.post("/subjects", json={"subject": " "})) == (400, 26, "Subject name cannot be empty")
    assert refusal(rest.post("/subjects", json={})) == (400, 26, "Subject name cannot be empty")
    long = rest.post("/subjects", json={"subject": "x" * 51})
    assert refusal(long) == (400, 26, "Subject name size must be between 1 and 50")
    assert refusal(rest.post("/subjects", json={"subject": "a/b"}))[:2] == (400, 36)
    rest.post("/subjects", json={"subject": "Ada"})
    assert refusal(rest.post("/subjects", json={"subject": "ADA"})) == (400, 43, "Subject already exists")
    assert refusal(rest.delete("/subjects/Eve")) == (404, 42, "Subject Eve not found")


def test_enrolment_without_a_subject(rest: httpx.Client, obama: bytes) -> None:
    answer = rest.post("/faces", files=upload(obama))
    assert refusal(answer) == (400, 33, "Required parameter subject is missing")
    assert refusal(rest.delete("/faces")) == (400, 26, "Subject name is empty; ")


def test_paths_that_are_not_there(mesh: Mesh, rest: httpx.Client) -> None:
    assert rest.get("/nothing").status_code == 404
    assert list(rest.get("/nothing").json()) == ["message", "code"]
    assert httpx.get(f"{mesh.url}/").status_code == 404


GRPC_REFUSALS = [
    ("IMAGE_UNREADABLE", recognition_pb2.RecognizeRequest(image=b"plain text")),
    ("IMAGE_UNREADABLE", recognition_pb2.RecognizeRequest()),
    ("ARGUMENT_INVALID", recognition_pb2.RecognizeRequest(image=b"x", min_score=2)),
    ("ARGUMENT_INVALID", recognition_pb2.RecognizeRequest(image=b"x", min_score=float("nan"))),
    ("ARGUMENT_INVALID", recognition_pb2.RecognizeRequest(image=b"x", max_matches=0)),
    ("ARGUMENT_INVALID", recognition_pb2.RecognizeRequest(image=b"x", max_matches=1001)),
    ("ARGUMENT_INVALID", gallery_pb2.AddFaceRequest(image=b"x")),
    ("ARGUMENT_INVALID", gallery_pb2.AddFaceRequest(image=b"x", subject="a\0b")),
    ("ARGUMENT_INVALID", gallery_pb2.AddFaceRequest(image=b"x", subject="x" * 256)),
    ("ARGUMENT_INVALID", gallery_pb2.DeleteFaceRequest(face_id="seven")),
    ("FACE_NOT_FOUND", gallery_pb2.DeleteFaceRequest(face_id=NOBODY)),
    ("FACE_NOT_FOUND", gallery_pb2.GetFaceImageRequest(face_id=NOBODY)),
    ("ARGUMENT_INVALID", gallery_pb2.ListFacesRequest(page_size=0)),
    ("ARGUMENT_INVALID", gallery_pb2.ListFacesRequest(page_token="junk")),
    ("ARGUMENT_INVALID", gallery_pb2.ListSubjectsRequest(page_size=1001)),
    ("SUBJECT_NOT_FOUND", gallery_pb2.DeleteSubjectRequest(subject="Eve")),
]


def reason(error: grpc.RpcError) -> str:
    status = rpc_status.from_call(error)
    assert status, error
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "mien"
    return info.reason


@pytest.mark.parametrize(("wanted", "request_"), GRPC_REFUSALS)
def test_native_callers_are_told_the_reason(mesh: Mesh, key: str, wanted: str, request_: object) -> None:
    method = type(request_).__name__.removesuffix("Request")
    with grpc.insecure_channel(mesh.address) as channel:
        stub = RecognitionServiceStub if method == "Recognize" else GalleryServiceStub
        with pytest.raises(grpc.RpcError) as refused:
            getattr(stub(channel), method)(request_, metadata=[("x-api-key", key)])
    assert reason(refused.value) == wanted


@pytest.mark.parametrize(
    ("wanted", "metadata"),
    [
        ("API_KEY_MISSING", []),
        ("API_KEY_MALFORMED", [("x-api-key", "junk")]),
        ("API_KEY_UNKNOWN", [("x-api-key", NOBODY)]),
    ],
)
def test_native_callers_need_a_key(mesh: Mesh, wanted: str, metadata: list[tuple[str, str]]) -> None:
    with grpc.insecure_channel(mesh.address) as channel, pytest.raises(grpc.RpcError) as refused:
        GalleryServiceStub(channel).ListFaces(gallery_pb2.ListFacesRequest(), metadata=metadata)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert reason(refused.value) == wanted


def test_the_embedder_is_out_of_reach_from_outside(mesh: Mesh) -> None:
    from mien.v1 import embedder_pb2
    from mien.v1.embedder_pb2_grpc import EmbedderServiceStub

    with grpc.insecure_channel(mesh.address) as channel, pytest.raises(grpc.RpcError) as refused:
        EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest())
    assert refused.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)


def test_base64_of_the_wrong_size_costs_nothing(rest: httpx.Client) -> None:
    body = base64.b64encode(bytes(9 << 19)).decode()
    assert refusal(rest.post("/recognize", json={"file": body})) == NO_FACE
