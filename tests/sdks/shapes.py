"""The shapes of what SDKs return: whatever was asked for, in CompreFace's order, and nothing else."""

from typing import Any
from uuid import UUID

from tests.mesh.answered import AGE, BOX, GENDER, points, vector
from tests.mesh.shapes import number, rounded

# The keys of a face in the answers of detect, verify (in the target), recognize, and verify of one face.
DETECTED = ("age", "gender", "pose", "embedding", "box", "execution_time", "landmarks")
MATCHED = (*DETECTED, "similarity")
RECOGNISED = (*DETECTED, "subjects")
VERIFIED = (
    *("box", "subject", "similarity", "landmarks"),
    *("age", "gender", "pose", "embedding", "execution_time"),
)
ALWAYS = {"box", "subject", "subjects", "similarity"}
RAN = ("age", "gender", "pose", "detector", "calculator")  # the keys of execution times and versions

PARTS = {
    "age": AGE,
    "gender": GENDER,
    "pose": dict.fromkeys(("pitch", "roll", "yaw"), number),
    "embedding": vector,
    "box": BOX,
    "landmarks": points,
    "subject": str,
    "similarity": rounded,
    "subjects": [{"subject": str, "similarity": rounded}],
}


def face(keys: tuple[str, ...], plugins: str = "", *, status: bool = False) -> dict[str, Any]:
    """A face of which these plugins were asked for, and the times that they took."""
    asked = {*ALWAYS, *plugins.replace("calculator", "embedding").split(",")}
    parts: dict[str, Any] = {**PARTS, "execution_time": _ran(plugins, number)}
    if keys is RECOGNISED:  # the others do not round it
        parts["box"] = {**BOX, "probability": rounded}
    return {key: parts[key] for key in keys if key in asked or (status and key == "execution_time")}


def versions(plugins: str) -> dict[str, Any]:
    """What the plugins are that ran."""
    return _ran(plugins, str)


def page(faces: int) -> dict[str, Any]:
    """The first page of so many enrolled faces."""
    return {
        "faces": [enrolled()],
        "total_pages": 1 if faces else 0,
        "total_elements": faces,
        "page_number": 0,
        "page_size": 20,
    }


def enrolled(subject: str | type[str] = str) -> dict[str, Any]:
    return {"image_id": lambda image_id: str(UUID(image_id)) == image_id, "subject": subject}


def _ran(plugins: str, value: object) -> dict[str, Any]:
    return {key: value for key in RAN if key in {"detector", *plugins.split(",")}}
