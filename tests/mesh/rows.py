"""What requests of CompreFace's paths look like, to be listed in tables."""

from dataclasses import dataclass, field
from typing import Any

NOBODY = "00000000-0000-4000-8000-000000000000"  # the id and the key of nothing
V1 = "/api/v1"
SOMETHING = "Something went wrong, please try again"


@dataclass
class Row:
    """A request, and how it is answered."""

    says: str
    method: str
    path: str
    answer: Any  # a shape; or (code, message) of an error
    status: int = 200
    key: str = "recognition"
    query: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[str, str]] = field(default_factory=dict)  # part: (file name, image)
    json: Any = None
    send: dict[str, Any] = field(default_factory=dict)  # anything else for httpx

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.says}"


def one(image: str = "obama", name: str = "a.jpg") -> dict[str, tuple[str, str]]:
    return {"file": (name, image)}


def two(source: str, target: str) -> dict[str, tuple[str, str]]:
    return {"source_image": ("a.jpg", source), "target_image": ("b.png", target)}


DETECT = f"{V1}/detection/detect"
VERIFY = f"{V1}/verification/verify"
COMPARE = f"{V1}/verification/embeddings/verify"
RECOGNIZE = f"{V1}/recognition/recognize"
RECOGNIZE_EMBEDDINGS = f"{V1}/recognition/embeddings/recognize"
FACES = f"{V1}/recognition/faces"
SUBJECTS = f"{V1}/recognition/subjects"
VERIFY_FACE = f"{FACES}/{{ada}}/verify"
COMPARE_FACE = f"{V1}/recognition/embeddings/faces/{{ada}}/verify"

# What takes images, with the type of its key, its parts, and what CompreFace calls them in JSON.
FILE, PAIR = {"file": "content"}, {"source_image": "sourceImageBase64", "target_image": "targetImageBase64"}
UPLOADS = [
    (DETECT, "detection", FILE),
    (VERIFY, "verification", PAIR),
    (RECOGNIZE, "recognition", FILE),
    (f"{FACES}?subject=X", "recognition", FILE),
    (VERIFY_FACE, "recognition", FILE),
]

KEYED = [
    *[("POST", path, key) for path, key, _ in UPLOADS],
    ("POST", COMPARE, "verification"),
    ("POST", RECOGNIZE_EMBEDDINGS, "recognition"),
    ("POST", COMPARE_FACE, "recognition"),
    *[(method, FACES, "recognition") for method in ("GET", "DELETE")],
    ("DELETE", f"{FACES}/{{ada}}", "recognition"),
    ("POST", f"{FACES}/delete", "recognition"),
    ("GET", f"{FACES}/{{ada}}/img", "recognition"),
    *[(method, SUBJECTS, "recognition") for method in ("GET", "POST", "DELETE")],
    *[(method, f"{SUBJECTS}/Ada", "recognition") for method in ("PUT", "DELETE")],
]
