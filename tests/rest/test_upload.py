"""How the body of a request becomes an image and form fields."""

import base64
import json

import pytest
from google.api.httpbody_pb2 import HttpBody

from classifier.rest.errors import Refused
from classifier.rest.upload import ONE_IMAGE, TWO_IMAGES, Limits, Upload, read_upload
from serving.faults import ImageTooLarge

IMAGE = bytes(range(256)) * 5
LIMITS = Limits(file=5 << 20, request=10 << 20)


def multipart(*parts: tuple[str, bytes]) -> HttpBody:
    """A form of parts, each the text of its headers and its content."""
    data = b"".join(
        b"--frontier\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n" for headers, content in parts
    )
    return HttpBody(content_type="multipart/form-data; boundary=frontier", data=data + b"--frontier--\r\n")


def file(name: str, content: bytes = IMAGE) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="file"; filename="{name}"', content


def as_json(value: object) -> HttpBody:
    return HttpBody(content_type="application/json", data=json.dumps(value).encode())


def read(body: HttpBody) -> Upload:
    return read_upload(body, ONE_IMAGE, LIMITS)


def test_a_file_arrives_byte_for_byte_with_the_fields_beside_it() -> None:
    field = ('Content-Disposition: form-data; name="limit"', b"2")
    upload = read(multipart(field, file("face.JPG"), field))
    assert upload.images == [IMAGE]
    assert upload.form == {"limit": ["2", "2"]}


def test_a_large_file_is_never_written_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda: pytest.fail("spooled to a disk"))
    large = IMAGE * 4000
    assert read(multipart(file("a.png", large), file("b.png", large))).images == [large]


@pytest.mark.parametrize("text", [base64.b64encode(IMAGE), base64.urlsafe_b64encode(IMAGE)])
def test_base64_is_read_in_either_alphabet_with_white_space_and_without_padding(text: bytes) -> None:
    broken_up = "\n".join([text.decode()[:76], text.decode()[76:]])
    assert read(as_json({"file": broken_up})).images == [IMAGE]
    assert read(as_json({"file": text.decode().rstrip("=")})).images == [IMAGE]


@pytest.mark.parametrize(
    ("body", "number", "message"),
    [
        (multipart(file("face.svg")), 21, "File [face.svg] has an unavailable extension"),
        (multipart(file("face")), 21, "File [face] has an unavailable extension"),
        (multipart(('Content-Disposition: form-data; name="x"', b"1")), 34, "Required part file is missing"),
        (HttpBody(content_type="multipart/form-data; boundary=x", data=b"junk"), 0, "Something went wrong"),
        (HttpBody(content_type="multipart/form-data", data=b"junk"), 0, "Something went wrong"),
        (as_json({"file": "data:image/png;base64,AAAA"}), 21, "Provided value is not Base64"),
        (as_json({"file": "AAAAA"}), 21, "Provided value is not Base64"),
        (as_json({"file": "ÄÖ\ud800"}), 21, "Provided value is not Base64"),
        (as_json({"file": ""}), 5, "Field content cannot be empty"),
        (as_json({"file": 7}), 5, "Field content cannot be empty"),
        (as_json({}), 5, "Field content cannot be empty"),
        (as_json([]), 5, "Field content cannot be empty"),
        (HttpBody(content_type="application/json", data=b'{"file": '), 0, "Something went wrong"),
        (HttpBody(content_type="application/json", data=b"[" * 100_000), 0, "Something went wrong"),
        (HttpBody(), 0, "not supported: send"),
        (HttpBody(content_type="text/plain", data=b"{}"), 0, "Content type 'text/plain' not supported"),
    ],
)
def test_a_body_that_is_no_upload_is_refused(body: HttpBody, number: int, message: str) -> None:
    with pytest.raises(Refused, match=message.replace("[", r"\[")) as refusal:
        read(body)
    assert refusal.value.number == number


def test_two_images_arrive_in_the_order_they_are_asked_for() -> None:
    parts = [
        (f'Content-Disposition: form-data; name="{name}"; filename="a.png"', name.encode())
        for name in ("target_image", "source_image")
    ]
    assert read_upload(multipart(*parts), TWO_IMAGES, LIMITS).images == [b"source_image", b"target_image"]
    texts = {
        "target_image": base64.b64encode(b"target").decode(),
        "source_image": base64.b64encode(b"source").decode(),
    }
    assert read_upload(as_json(texts), TWO_IMAGES, LIMITS).images == [b"source", b"target"]
    with pytest.raises(Refused, match="Required part target_image is missing"):
        read_upload(multipart(parts[1]), TWO_IMAGES, LIMITS)
    with pytest.raises(Refused, match="Field targetImageBase64 cannot be empty"):
        read_upload(as_json({"source_image": "AAAA"}), TWO_IMAGES, LIMITS)


def test_files_and_requests_have_their_limits() -> None:
    limits = Limits(file=len(IMAGE), request=2000)
    body = multipart(file("a.png"))
    assert read_upload(body, ONE_IMAGE, limits).images == [IMAGE]
    with pytest.raises(ImageTooLarge):
        read_upload(body, ONE_IMAGE, limits._replace(file=len(IMAGE) - 1))
    with pytest.raises(ImageTooLarge):
        read_upload(as_json({"file": base64.b64encode(IMAGE).decode()}), ONE_IMAGE, limits._replace(file=9))
    with pytest.raises(Refused, match="too large") as refused:
        read_upload(body, ONE_IMAGE, limits._replace(request=len(body.data) - 1))
    assert (refused.value.number, refused.value.http) == (0, 413)
