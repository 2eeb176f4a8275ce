"""Every path of CompreFace's: what it answers when all is well, and each error it documents."""

import base64
import json
from itertools import count
from typing import Any

import httpx
import pytest

from tests.mesh.answered import good
from tests.mesh.conftest import Mesh
from tests.mesh.refused import refused
from tests.mesh.rows import DETECT, FACES, NOBODY, SUBJECTS, V1, Row
from tests.mesh.shapes import check
from tests.plain import NO_TLS

_rows = count()


@pytest.fixture(scope="module")
def images(obama: bytes, biden: bytes, two_faces: bytes, no_face: bytes) -> dict[str, bytes]:
    """Bytes by the names that rows have for them."""
    return {
        "obama": obama,
        "biden": biden,
        "two": two_faces,
        "nobody": no_face,
        "text": b"plain text",
        "cut off": obama[: len(obama) // 2],
        "empty": b"",
        "6 MB": bytes(6 << 20),
        "11 MB": bytes(11 << 20),
    }


@pytest.fixture(scope="module")
def keys(mesh: Mesh) -> dict[str, str]:
    return {
        kind: mesh.key(f"{kind} of endpoints", kind) for kind in ("recognition", "detection", "verification")
    }


@pytest.fixture(scope="module")
def vector(mesh: Mesh, keys: dict[str, str], images: dict[str, bytes]) -> list[float]:
    """The embedding of a face."""
    answer = httpx.post(
        mesh.url + DETECT,
        headers={"x-api-key": keys["detection"]},
        params={"face_plugins": "calculator"},
        files={"file": ("a.jpg", images["obama"])},
    )
    return answer.json()["result"][0]["embedding"]  # type: ignore[no-any-return]


@pytest.fixture
def enrolled(mesh: Mesh, keys: dict[str, str], images: dict[str, bytes]) -> dict[str, str]:
    """Ids of a face of Ada's, who has two, and of Bob's, in an otherwise empty gallery."""
    header = {"x-api-key": keys["recognition"]}
    with httpx.Client(base_url=mesh.url, headers=header, timeout=30, verify=NO_TLS) as client:
        client.delete(SUBJECTS)
        ids = [
            client.post(FACES, params={"subject": name}, files={"file": ("a.jpg", images[image])}).json()[
                "image_id"
            ]
            for name, image in (("Ada", "obama"), ("Ada", "obama"), ("Bob", "biden"))
        ]
    return {"ada": ids[0], "bob": ids[2]}


@pytest.mark.parametrize("row", [*good(), *refused()], ids=str)
def test_each_path_answers_as_compreface_does(
    mesh: Mesh,
    keys: dict[str, str],
    images: dict[str, bytes],
    vector: list[float],
    request: pytest.FixtureRequest,
    row: Row,
) -> None:
    # Only what is answered from the gallery needs one.
    ids = request.getfixturevalue("enrolled") if needs_gallery(row) else {"ada": NOBODY}

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if value == "vector":
            return vector
        if isinstance(value, str) and value in images:
            return base64.b64encode(images[value]).decode()
        return value.format(**ids) if isinstance(value, str) and "{" in value else value

    send = dict(row.send)
    if row.files:
        send["files"] = {part: (name, images[image]) for part, (name, image) in row.files.items()}
    if row.json is not None:
        send["content"] = json.dumps(filled(row.json)).encode()
        send["headers"] = {"content-type": "application/json"}
    if row.key:
        key = row.key.removeprefix("=") if row.key.startswith("=") else keys[row.key]
        send["headers"] = {**send.get("headers", {}), "x-api-key": key}
    if row.query:
        send["params"] = row.query
    path = row.path.format(**ids)
    # Bad keys are counted by the address they come from: each row has one of its own.
    address = f"127.8.{next(_rows) % 250}.1"
    transport = httpx.HTTPTransport(local_address=address, verify=NO_TLS)
    with httpx.Client(transport=transport, timeout=30) as client:
        answer = client.request(row.method, mesh.url + path, **send)

    assert answer.status_code == row.status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith(("grpc-", "x-http-status"))]
    if isinstance(row.answer, tuple):
        check(answer.json(), {"message": row.answer[1], "code": row.answer[0]})
    else:
        check(answer.json(), row.answer)


def needs_gallery(row: Row) -> bool:
    return (
        (row.status < 300 and row.key == "recognition")
        or "{ada}" in row.path + json.dumps(row.json)
        or row.says
        in (
            "there",
            "slash",
            "128 x 0",
            "128 x inf",
            "2 x 1",
        )
    )


def test_an_image_is_downloaded_by_both_paths_and_nothing_is_200_and_empty(
    mesh: Mesh, keys: dict[str, str], images: dict[str, bytes], enrolled: dict[str, str]
) -> None:
    key = keys["recognition"]
    paths = {
        f"{FACES}/{enrolled['ada']}/img": images["obama"],
        f"{FACES}/{NOBODY}/img": b"",
        f"{V1}/static/{key}/images/{enrolled['ada']}": images["obama"],
        f"{V1}/static/{key}/images/{NOBODY}": b"",
        f"{V1}/static/{NOBODY}/images/{enrolled['ada']}": b"",
        f"{V1}/static/seven/images/{enrolled['ada']}": b"",
        f"{V1}/static/{keys['detection']}/images/{enrolled['ada']}": b"",
    }
    for path, content in paths.items():
        answer = httpx.get(mesh.url + path, headers={} if "static" in path else {"x-api-key": key})
        assert (answer.status_code, answer.content) == (200, content), path
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "no-store"


def test_nothing_but_the_status_of_the_core_is_public(mesh: Mesh) -> None:
    for path in ("/core/find_faces", "/core/scan_faces", "/core/healthcheck", "/core/"):
        assert httpx.post(mesh.url + path).status_code == 404


def test_answers_are_pretty_and_so_are_errors(mesh: Mesh) -> None:
    assert httpx.get(f"{mesh.url}{V1}/config").text.count("\n") > 2
    assert httpx.get(mesh.url + SUBJECTS).text.startswith('{\n  "message" : ')
