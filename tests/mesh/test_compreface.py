"""CompreFace's REST through the real Envoy: the answers its clients expect."""

import base64
import json
from uuid import UUID

import httpx
import pytest

from tests.mesh.conftest import Mesh
from tests.photographs import photograph

FILE = "image.jpg"


def enrol(rest: httpx.Client, image: bytes, subject: str) -> str:
    answer = rest.post("/faces", params={"subject": subject}, files={"file": (FILE, image)})
    assert answer.status_code == 201, answer.text
    assert list(answer.json()) == ["image_id", "subject"]
    assert answer.json()["subject"] == subject
    return str(UUID(answer.json()["image_id"]))


def test_an_enrolled_person_is_recognised_in_another_photograph(rest: httpx.Client, biden: bytes) -> None:
    enrol(rest, photograph("obama").read_bytes(), "Barack Obama")
    enrol(rest, biden, "Joe Biden")
    answer = rest.post("/recognize", files={"file": (FILE, photograph("obama2").read_bytes())})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith(("grpc-", "x-http-status"))]
    (face,) = answer.json()["result"]
    assert list(face) == ["box", "subjects"]
    assert list(face["box"]) == ["probability", "x_max", "y_max", "x_min", "y_min"]
    (match,) = face["subjects"]
    assert list(match) == ["subject", "similarity"]
    assert match["subject"] == "Barack Obama"
    assert match["similarity"] >= 0.5


def test_a_stranger_is_like_nobody(rest: httpx.Client, obama: bytes) -> None:
    enrol(rest, obama, "Barack Obama")
    answer = rest.post("/recognize", files={"file": (FILE, photograph("biden").read_bytes())})
    (face,) = answer.json()["result"]
    assert face["subjects"][0]["similarity"] < 0.5


def test_base64_and_multipart_are_answered_the_same(rest: httpx.Client, obama: bytes) -> None:
    enrol(rest, obama, "Barack Obama")
    as_form = rest.post("/recognize", files={"file": (FILE, obama)})
    as_json = rest.post("/recognize", json={"file": base64.b64encode(obama).decode()})
    assert as_form.json() == as_json.json()


def test_plugins_add_what_they_stand_for(rest: httpx.Client, obama: bytes) -> None:
    answer = rest.post(
        "/recognize", params={"face_plugins": "landmarks,calculator,nonsense"}, files={"file": (FILE, obama)}
    )
    (face,) = answer.json()["result"]
    assert list(face) == ["embedding", "box", "landmarks", "subjects"]
    assert len(face["embedding"]) == 128
    assert [len(point) for point in face["landmarks"]] == [2] * 5
    assert face["subjects"] == []


def test_parameters_count_as_form_fields_too(rest: httpx.Client, two_faces: bytes) -> None:
    files = {"file": (FILE, two_faces)}
    assert len(rest.post("/recognize", files=files).json()["result"]) == 2
    assert len(rest.post("/recognize", files=files, data={"limit": "1"}).json()["result"]) == 1
    assert len(rest.post("/recognize?&limit=1&unknown=2", files=files).json()["result"]) == 1


def test_faces_are_listed_by_the_page_and_filtered_by_subject(rest: httpx.Client, obama: bytes) -> None:
    ids = [enrol(rest, obama, subject) for subject in ("A", "A", "B")]
    page = rest.get("/faces", params={"page": 1, "size": 2}).json()
    assert page == {
        "faces": [{"image_id": ids[2], "subject": "B"}],
        "total_pages": 2,
        "total_elements": 3,
        "page_number": 1,
        "page_size": 2,
    }
    filtered = rest.get("/faces", params={"subject": "A"}).json()
    assert [face["image_id"] for face in filtered["faces"]] == ids[:2]
    assert rest.get("/faces", params={"subject": "nobody"}).json()["faces"] == []


def test_an_image_comes_back_byte_for_byte_until_its_face_is_erased(rest: httpx.Client, obama: bytes) -> None:
    face = enrol(rest, obama, "Barack Obama")
    image = rest.get(f"/faces/{face}/img")
    assert image.content == obama
    assert image.headers["cache-control"] == "no-store"
    assert rest.delete(f"/faces/{face}").json() == {"image_id": face, "subject": "Barack Obama"}
    gone = rest.get(f"/faces/{face}/img")
    assert (gone.status_code, gone.content) == (200, b"")
    assert rest.post("/recognize", files={"file": (FILE, obama)}).json()["result"][0]["subjects"] == []


@pytest.mark.parametrize("name", ["Ada", "Jürgen X", "日本", "A&B+C", "50% [x]", "a.b:c#d?e"])
def test_subjects_are_made_listed_and_erased(rest: httpx.Client, name: str) -> None:
    made = rest.post("/subjects", json={"subject": name})
    assert (made.status_code, made.json()) == (201, {"subject": name})
    assert rest.get("/subjects").json() == {"subjects": [name]}
    path = f"/subjects/{httpx.QueryParams({'x': name})}".replace("x=", "").replace("+", "%20")
    assert rest.delete(path).json() == {"subject": name}
    assert rest.get("/subjects/").json() == {"subjects": []}


def test_a_subject_is_erased_with_its_faces(rest: httpx.Client, obama: bytes) -> None:
    for subject in ("A", "A", "B"):
        enrol(rest, obama, subject)
    assert rest.delete("/faces", params={"subject": "a"}).json() == {"deleted": 2}
    assert rest.delete("/faces", params={"subject": "nobody"}).json() == {"deleted": 0}
    assert rest.delete("/subjects").json() == {"deleted": 1}
    assert rest.get("/faces").json()["total_elements"] == 0


def test_keys_open_their_own_gallery_alone(mesh: Mesh, rest: httpx.Client, obama: bytes) -> None:
    face = enrol(rest, obama, "Barack Obama")
    other = {"x-api-key": mesh.key(f"other of {face}")}
    assert rest.get("/faces", headers=other).json()["faces"] == []
    assert rest.delete(f"/faces/{face}", headers=other).status_code == 404
    assert rest.get(f"/faces/{face}/img", headers=other).content == b""
    (found,) = rest.post("/recognize", files={"file": (FILE, obama)}, headers=other).json()["result"]
    assert found["subjects"] == []


def test_a_png_with_an_alpha_channel_is_read_like_any_other(rest: httpx.Client, obama: bytes) -> None:
    enrol(rest, obama, "Barack Obama")
    answer = rest.post("/recognize", files={"file": ("32bit.png", photograph("32bit").read_bytes())})
    assert answer.json()["result"][0]["subjects"][0]["similarity"] >= 0.5


def test_a_browser_of_another_site_may_call(mesh: Mesh) -> None:
    preflight = httpx.options(
        f"{mesh.url}/api/v1/recognition/recognize",
        headers={
            "origin": "https://example.org",
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key",
        },
    )
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] in ("*", "https://example.org")
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]


def test_no_log_line_holds_a_key_or_a_name(mesh: Mesh, key: str, rest: httpx.Client, obama: bytes) -> None:
    enrol(rest, obama, "Unmistakable Name")
    rest.post("/recognize", files={"file": (FILE, b"no image")})
    log = "\n".join(mesh.log)
    assert key not in log
    assert "Unmistakable" not in log


def test_json_of_the_native_paths_follows_the_contract(mesh: Mesh, key: str, obama: bytes) -> None:
    with httpx.Client(base_url=f"{mesh.url}/v1", headers={"x-api-key": key}, timeout=30) as native:
        image = base64.b64encode(obama).decode()
        added = native.post("/faces", json={"image": image, "subject": "Barack Obama"}).json()
        face = added["face"]["face_id"]
        (found,) = native.post("/recognize", json={"image": image}).json()["faces"]
        assert found["matches"][0]["face_id"] == face
        assert native.get(f"/faces/{face}/image").content == obama
        refused = native.post("/recognize", json={"image": ""})
        assert refused.status_code == 400
        assert refused.json()["details"][0]["reason"] == "IMAGE_UNREADABLE"
        assert json.dumps(native.delete("/subjects").json())
