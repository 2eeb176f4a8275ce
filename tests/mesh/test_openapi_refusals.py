"""What the mesh refuses with is among the errors that the OpenAPI document lists."""

import re
from typing import Any

import httpx
import pytest
from PIL import Image

from classifier.openapi.bodies import Kind, kind_of
from classifier.openapi.contract import Call, calls
from classifier.openapi.refusals import Refusal, refusals
from tests.mesh.conftest import Mesh
from tests.mesh.scene import Scene, made_up, set_scene
from tests.plain import NO_TLS

NOBODY = made_up(9)
NAMED = {"subject": "Adam"}
UNREADABLE = {"content": b"{", "type": "application/json"}
TEXT = {"content": b"[]", "type": "text/plain"}

# An RPC, what is other than in a call that succeeds, and the HTTP status and the code it is refused with.
REFUSED: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("Detect", {"key": None}, (400, 20)),
    ("Verify", {"key": "x"}, (400, 26)),
    ("Detect", {"key": NOBODY}, (404, 10)),
    ("Verify", {"key": NOBODY}, (404, 10)),
    ("ListFaces", {"key": NOBODY}, (404, 10)),
    ("Detect", {"files": {"file": "noise.png"}}, (400, 28)),
    ("Detect", {"files": {"file": "notes.txt"}}, (400, 21)),
    ("Detect", {"files": {"file": "large.jpg"}}, (400, 0)),
    ("Detect", {"files": {"file": "vast.png"}}, (400, 0)),
    ("Detect", {"files": {"image": "adam.jpg"}}, (400, 34)),
    ("Detect", TEXT, (415, 0)),
    ("Detect", UNREADABLE, (400, 0)),
    ("Detect", {"json": {}}, (400, 5)),
    ("Detect", {"json": {"file": "§"}}, (400, 21)),
    ("Detect", {"json": {"file": "A" * (11 << 20)}}, (413, 0)),
    ("Detect", {"json": {"file": "A" * (20 << 20)}}, (413, 0)),
    ("Detect", {"params": {"limit": -1}}, (400, 26)),
    ("Detect", {"params": {"limit": "all"}}, (400, 0)),
    ("Detect", {"params": {"min_face_size": -1}}, (400, 26)),
    ("Detect", {"params": {"status": "perhaps"}}, (400, 0)),
    ("Detect", {"params": {"det_prob_threshold": "high"}}, (400, 0)),
    ("Detect", {"params": {"det_prob_threshold": 2}}, (400, 28)),
    ("Verify", {"files": {"source_image": "adam.jpg"}}, (400, 34)),
    ("Verify", {"files": {"source_image": "party.jpg", "target_image": "adam.jpg"}}, (400, 31)),
    ("VerifyEmbeddings", {"json": {"source": [1.0]}}, (400, 5)),
    ("VerifyEmbeddings", {"json": {"source": [1.0], "targets": [[1.0, 2.0]]}}, (400, 0)),
    ("VerifyEmbeddings", {"json": {"source": [1.0], "targets": ["x"]}}, (400, 0)),
    ("VerifyEmbeddings", TEXT, (415, 0)),
    ("Recognize", {"params": {"prediction_count": 0}}, (400, 26)),
    ("Recognize", {"params": {"similarity_threshold": 2}}, (400, 26)),
    ("Recognize", {"params": {"unique_subjects": "perhaps"}}, (400, 0)),
    ("Recognize", {"params": {"detect_faces": "perhaps"}}, (400, 0)),
    ("RecognizeEmbeddings", {"json": {"embeddings": [[1.0]]}}, (400, 0)),
    ("RecognizeEmbeddings", {"params": {"prediction_count": "many"}}, (400, 0)),
    ("AddFace", {}, (400, 33)),
    ("AddFace", {"params": {"subject": " "}}, (400, 26)),
    ("AddFace", {"params": {"subject": "x" * 256}}, (400, 26)),
    ("AddFace", {"params": NAMED, "files": {"file": "party.jpg"}}, (400, 31)),
    ("DeleteFaces", {}, (400, 26)),
    ("DeleteFace", {"in_path": NOBODY}, (404, 44)),
    ("DeleteFace", {"in_path": "seven"}, (400, 0)),
    ("DeleteFacesById", {"json": {}}, (400, 0)),
    ("GetFaceImage", {"in_path": "seven"}, (400, 0)),
    ("GetStaticImage", {"in_path": "seven"}, (400, 0)),
    ("VerifyFace", {"in_path": NOBODY}, (404, 44)),
    ("VerifyFaceEmbeddings", {"in_path": NOBODY}, (404, 44)),
    ("AddSubject", {"json": {"subject": " "}}, (400, 26)),
    ("AddSubject", {"json": {"subject": "x" * 51}}, (400, 26)),
    ("AddSubject", {"json": {"subject": "a/b"}}, (400, 36)),
    ("AddSubject", {"json": {"subject": "ADAM"}}, (400, 43)),
    ("AddSubject", UNREADABLE, (400, 0)),
    ("RenameSubject", {"json": {"subject": "a;b"}}, (400, 36)),
    ("RenameSubject", {"in_path": "Eve"}, (404, 42)),
    ("DeleteSubject", {"in_path": "Eve"}, (404, 42)),
    ("Migrate", {}, (403, 0)),
]


@pytest.fixture(scope="module")
def scene(mesh: Mesh, no_face: bytes, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One for all: a refusal changes nothing."""
    scene = set_scene(mesh, tmp_path_factory.mktemp("refused"))
    for name, content in {"noise.png": no_face, "notes.txt": b"x", "large.jpg": bytes(6 << 20)}.items():
        (scene.folder / name).write_bytes(content)
    Image.new("1", (8000, 8000)).save(scene.folder / "vast.png")
    return scene


@pytest.mark.parametrize(("rpc", "other", "wanted"), REFUSED)
def test_a_refusal_is_listed(
    mesh: Mesh, scene: Scene, rpc: str, other: dict[str, Any], wanted: tuple[int, int]
) -> None:
    (call,) = (call for call in calls() if call.name == rpc)
    answer = httpx.request(**request(mesh, scene, call, **other), timeout=30, verify=NO_TLS)
    told = answer.json()
    assert (answer.status_code, told["code"]) == wanted, told
    assert any(fits(known, answer.status_code, told) for known in refusals(call)), told


def request(mesh: Mesh, scene: Scene, call: Call, **other: Any) -> dict[str, Any]:
    """The arguments of a request that succeeds, but for what is other."""
    in_path = other.get("in_path", "Adam" if "{subject}" in call.path else scene.ids[made_up(1)])
    key = other.get("key", scene.key_for(call.name))
    path = re.sub(r"\{(image_id|subject)\}", in_path, call.path).replace("{api_key}", str(key))
    sent: dict[str, Any] = {name: other[name] for name in ("files", "json", "content") if name in other}
    if not sent:
        sent = _body(call)
    if "files" in sent:
        files = sent["files"].items()
        sent["files"] = {name: (file, (scene.folder / file).read_bytes()) for name, file in files}
    headers = {"x-api-key": key, "content-type": other.get("type")}
    return {
        "method": call.verb,
        "url": mesh.url + path,
        "params": other.get("params"),
        "headers": {name: value for name, value in headers.items() if value},
        **sent,
    }


def _body(call: Call) -> dict[str, Any]:
    match kind_of(call):
        case Kind.IMAGES if call.name == "Verify":
            return {"files": {"source_image": "adam.jpg", "target_image": "adam.jpg"}}
        case Kind.IMAGES:
            return {"files": {"file": "adam.jpg"}}
        case Kind.JSON:
            return {"json": {"embeddings": [[0.5] * 128]}}
        case Kind.MESSAGE:
            return {"json": {"subject": "Zoe"}}
    return {}


def fits(known: Refusal, status: int, told: dict[str, Any]) -> bool:
    """Whether a refusal is the known one, whatever stands for its ellipses."""
    message = ".*".join(re.escape(part) for part in known.message.split("…"))
    return known[:2] == (status, told["code"]) and bool(re.fullmatch(message, told["message"], re.DOTALL))
