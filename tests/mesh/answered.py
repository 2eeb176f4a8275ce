"""Requests of each of CompreFace's paths that are answered well, and the shape of the answers."""

from collections.abc import Iterator
from typing import Any

from tests.mesh.rows import (
    COMPARE,
    COMPARE_FACE,
    DETECT,
    FACES,
    NOBODY,
    RECOGNIZE,
    RECOGNIZE_EMBEDDINGS,
    SUBJECTS,
    V1,
    VERIFY,
    VERIFY_FACE,
    Row,
    one,
    two,
)
from tests.mesh.shapes import number, rounded, share


def points(value: Any) -> bool:
    """Five points of the image."""
    return [[type(each) for each in point] for point in value] == [[int, int]] * 5


def vector(value: Any) -> bool:
    """An embedding of the model `open`."""
    return len(value) == 128 and all(map(number, value))


def names(*expected: str) -> Any:
    """Whom the one face of an answer is like, in this order."""
    return lambda found: [each["subject"] for each in found["result"][0]["subjects"]] == list(expected)


BOX = {"probability": share, "x_max": int, "y_max": int, "x_min": int, "y_min": int}
AGE = {"probability": share, "high": int, "low": int}
GENDER = {"probability": share, "value": "male"}
MASK = {"probability": share, "value": "without_mask"}
POSE = {"pitch": float, "roll": float, "yaw": float}
ALL = {"face_plugins": "age,gender,landmarks,pose,calculator,mask,landmarks2d106,nonsense", "status": "true"}
TIMES = dict.fromkeys(("age", "gender", "pose", "detector", "calculator", "mask"), float)
VERSIONS = dict.fromkeys(TIMES, str)
FACE = {
    "age": AGE,
    "gender": GENDER,
    "pose": POSE,
    "embedding": vector,
    "box": BOX,
    "execution_time": TIMES,
    "landmarks": points,
    "mask": MASK,
}
ROUNDED = {**BOX, "probability": rounded}


def good() -> Iterator[Row]:
    def detected(**shape: Any) -> dict[str, Any]:
        return {"result": [shape]}

    yield Row("plain", "POST", DETECT, detected(box=BOX), key="detection", files=one())
    yield Row(
        "all",
        "POST",
        DETECT,
        {"result": [FACE], "plugins_versions": VERSIONS},
        key="detection",
        files=one(),
        query=ALL,
    )
    yield Row("base64", "POST", DETECT, detected(box=BOX), key="detection", json={"file": "obama"})
    matched = {"box": BOX, "similarity": rounded}
    yield Row(
        "plain",
        "POST",
        VERIFY,
        detected(source_image_face={"box": BOX}, face_matches=[matched]),
        key="verification",
        files=two("obama", "two"),
    )
    yield Row(
        "all",
        "POST",
        VERIFY,
        detected(
            source_image_face=FACE,
            face_matches=[{**FACE, "similarity": rounded}],
            plugins_versions=VERSIONS,
        ),
        key="verification",
        json={"source_image": "obama", "target_image": "obama"},
        query=ALL,
    )
    yield Row(
        "limit 1 takes the largest",
        "POST",
        VERIFY,
        detected(source_image_face={"box": BOX}, face_matches=[matched]),
        key="verification",
        files=two("two", "two"),
        query={"limit": "1"},
    )
    yield Row(
        "the most similar first",
        "POST",
        COMPARE,
        {"result": lambda found: [each["embedding"] for each in found] == [[3, 4], [0.5, -2.5]]},
        key="verification",
        json={"source": [6, 8], "targets": [[0.5, -2.5], [3, 4]]},
    )
    similar = {"subject": str, "similarity": rounded}
    yield Row("plain", "POST", RECOGNIZE, detected(box=ROUNDED, subjects=[similar]), files=one())
    yield Row(
        "all",
        "POST",
        RECOGNIZE,
        {"result": [{**FACE, "box": ROUNDED, "subjects": [similar]}], "plugins_versions": VERSIONS},
        files=one(),
        query=ALL,
    )
    whole = {key: shape for key, shape in FACE.items() if key not in ("pose", "landmarks", "mask")}
    whole["box"] = {"probability": 1, "x_max": int, "y_max": int, "x_min": 0, "y_min": 0}
    whole["subjects"] = [similar]
    seen = {**whole, "execution_time": dict.fromkeys(("age", "gender", "calculator"), float)}
    yield Row(
        "the whole image",
        "POST",
        RECOGNIZE,
        {"result": [seen], "plugins_versions": dict.fromkeys(seen["execution_time"], str)},
        files=one("biden"),  # whose sex the network tells by the whole photograph too: obama is a toss-up
        query={**ALL, "detect_faces": "false"},
    )
    yield Row(
        "several of one subject",
        "POST",
        RECOGNIZE,
        names("Ada", "Ada", "Bob"),
        files=one(),
        query={"prediction_count": "9"},
    )
    yield Row(
        "unique subjects",
        "POST",
        RECOGNIZE,
        names("Ada", "Bob"),
        files=one(),
        query={"prediction_count": "9", "unique_subjects": "true"},
    )
    yield Row(
        "above a threshold",
        "POST",
        RECOGNIZE,
        names("Ada", "Ada"),
        files=one(),
        query={"prediction_count": "9", "similarity_threshold": "0.5"},
    )
    yield Row(
        "small faces left out",
        "POST",
        RECOGNIZE,
        (28, "No face is found in the given image"),
        400,
        files=one(),
        query={"min_face_size": "900"},
    )
    yield Row(
        "repeated parameters are joined",
        "POST",
        RECOGNIZE,
        detected(age=AGE, gender=GENDER, box=ROUNDED, subjects=[similar]),
        files=one(),
        send={"params": [("face_plugins", "age"), ("face_plugins", "gender")]},
    )
    yield Row(
        "empty parameters count as absent",
        "POST",
        RECOGNIZE,
        detected(box=ROUNDED, subjects=[similar]),
        files=one(),
        query={"limit": "", "status": "", "det_prob_threshold": "", "prediction_count": ""},
    )
    embedded = {"result": [{"embedding": vector, "similarities": [similar]}]}
    yield Row(
        "found",
        "POST",
        RECOGNIZE_EMBEDDINGS,
        embedded,
        json={"embeddings": ["vector", "vector"]},
        query={"prediction_count": "2"},
    )
    yield Row(
        "unique",
        "POST",
        RECOGNIZE_EMBEDDINGS,
        lambda found: len(found["result"][0]["similarities"]) == 2,
        json={"embeddings": ["vector"]},
        query={"prediction_count": "9", "unique_subjects": "1"},
    )
    enrolled = {"image_id": str, "subject": "Eve"}
    yield Row("form", "POST", FACES, enrolled, 201, files=one(), query={"subject": "Eve"})
    yield Row("form field", "POST", FACES, enrolled, 201, files=one(), send={"data": {"subject": "Eve"}})
    yield Row("base64", "POST", FACES, enrolled, 201, json={"file": "obama"}, query={"subject": "Eve"})
    page = {
        "faces": [{"image_id": str, "subject": str}],
        "total_pages": 2,
        "total_elements": 3,
        "page_number": 0,
        "page_size": 2,
    }
    yield Row("a page", "GET", FACES, page, query={"size": "2"})
    yield Row(
        "of a subject",
        "GET",
        FACES,
        {
            **page,
            "faces": [{"image_id": str, "subject": "Ada"}],
            "total_pages": 1,
            "total_elements": 2,
            "page_size": 20,
        },
        query={"subject": "Ada"},
    )
    yield Row(
        "of a subject in other letters",
        "GET",
        FACES,
        {"faces": [], "total_pages": 0, "total_elements": 0, "page_number": 0, "page_size": 20},
        query={"subject": "ada"},
    )
    yield Row("of a subject", "DELETE", FACES, {"deleted": 2}, query={"subject": "Ada"})
    yield Row("one", "DELETE", f"{FACES}/{{ada}}", lambda found: found["subject"] == "Ada")
    yield Row(
        "several",
        "POST",
        f"{FACES}/delete",
        lambda found: [each["subject"] for each in found] == ["Ada"],
        json=["{ada}", NOBODY],
    )
    yield Row("none of them", "POST", f"{FACES}/delete", [], json=[])
    verified = {"box": BOX, "subject": "Ada", "similarity": rounded}
    yield Row("plain", "POST", VERIFY_FACE, detected(**verified), files=one())
    ordered = {
        **verified,
        **{key: FACE[key] for key in ("landmarks", "age", "gender", "pose", "embedding")},
        **{key: FACE[key] for key in ("execution_time", "mask")},
    }
    yield Row(
        "all",
        "POST",
        VERIFY_FACE,
        {"result": [ordered], "plugins_versions": VERSIONS},
        json={"file": "obama"},
        query=ALL,
    )
    yield Row(
        "found",
        "POST",
        COMPARE_FACE,
        {"result": [{"embedding": vector, "similarity": rounded}]},
        json={"embeddings": ["vector"]},
    )
    yield Row("new", "POST", SUBJECTS, {"subject": "Eve"}, 201, json={"subject": "Eve"})
    yield Row("all", "GET", SUBJECTS, {"subjects": ["Ada", "Bob"]})
    yield Row("trailing slash", "GET", f"{SUBJECTS}/", {"subjects": ["Ada", "Bob"]})
    yield Row(
        "renamed", "PUT", f"{SUBJECTS}/Ada", {"updated": True}, json={"subject": "Eve", "api_endpoint": "x"}
    )
    yield Row("merged", "PUT", f"{SUBJECTS}/Ada", {"updated": True}, json={"subject": "bob"})
    yield Row("the same", "PUT", f"{SUBJECTS}/Ada", {"updated": False}, json={"subject": "Ada"})
    yield Row("one", "DELETE", f"{SUBJECTS}/ada", {"subject": "Ada"})
    yield Row("all", "DELETE", SUBJECTS, {"deleted": 2})
    yield Row(
        "limits", "GET", f"{V1}/config", {"clientMaxFileSize": 5242880, "clientMaxBodySize": 10485760}, key=""
    )
    consistent = {
        "demoFaceCollectionIsInconsistent": False,
        "dbIsInconsistent": bool,
        "saveImagesToDB": True,
        "status": "OK",
    }
    yield Row("status", "GET", f"{V1}/consistence/status", consistent, key="")
    core = {
        "status": "OK",
        "build_version": str,
        "calculator_version": "open",
        "similarity_coefficients": lambda value: len(value) == 2 and all(map(number, value)),
        "available_plugins": lambda value: set(value) == set(TIMES),
    }
    yield Row("status", "GET", "/core/status", core, key="")
