"""What the requests of the OpenAPI document's examples meet: keys, two enrolled people, and files to send."""

import json
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import httpx
from PIL import Image

from tests.mesh.conftest import Mesh, cropped


class Scene(NamedTuple):
    folder: Path  # of the files
    keys: dict[str, str]  # by the type of service
    ids: dict[str, str]  # of the enrolled faces, by the made-up ones

    def key_for(self, rpc: str) -> str:
        """The key that opens the path of an RPC."""
        types = {"Detect": "detection", "Verify": "verification", "VerifyEmbeddings": "verification"}
        return self.keys[types.get(rpc, "recognition")]


def made_up(number: int) -> str:
    """A UUID that nobody takes for a real one."""
    return f"00000000-0000-0000-0000-{number:012}"


def set_scene(mesh: Mesh, folder: Path) -> Scene:
    """Adam and Bob are enrolled; the party shows both in other photographs."""
    keys = {
        kind: mesh.key(f"{kind} {uuid4()}", kind) for kind in ("recognition", "detection", "verification")
    }
    for name, image in {
        "adam.jpg": cropped("obama"),
        "adam2.jpg": cropped("obama3"),
        "bob.jpg": cropped("biden"),
        "party.jpg": _beside(cropped("obama2", 300), cropped("biden", 300)),
    }.items():
        (folder / name).write_bytes(image)
    with httpx.Client(base_url=f"{mesh.url}/api/v1/recognition", timeout=30) as client:
        client.headers["x-api-key"] = keys["recognition"]

        def file(name: str) -> dict[str, tuple[str, bytes]]:
            return {"file": (name, (folder / name).read_bytes())}

        ids = {}
        for number, subject in enumerate(("Adam", "Bob"), 1):
            added = client.post(f"/faces?subject={subject}", files=file(f"{subject.lower()}.jpg"))
            ids[made_up(number)] = added.json()["image_id"]
        found = client.post("/recognize?face_plugins=calculator", files=file("party.jpg")).json()["result"]
    embeddings = [face["embedding"] for face in found]
    (folder / "embeddings.json").write_text(json.dumps({"embeddings": embeddings}))
    (folder / "pair.json").write_text(json.dumps({"source": embeddings[0], "targets": embeddings[1:]}))
    return Scene(folder, keys, ids)


def _beside(*files: bytes) -> bytes:
    """A picture that shows others side by side."""
    images = [Image.open(BytesIO(file)) for file in files]
    picture = Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)))
    left = 0
    for image in images:
        picture.paste(image, (left, 0))
        left += image.width
    file = BytesIO()
    picture.save(file, "JPEG", quality=92)
    return file.getvalue()
