"""Requests of each of CompreFace's paths that are refused, and what is said then."""

from collections.abc import Iterator
from typing import Any

from tests.mesh.rows import (
    COMPARE,
    COMPARE_FACE,
    DETECT,
    FACES,
    KEYED,
    NOBODY,
    RECOGNIZE,
    RECOGNIZE_EMBEDDINGS,
    SOMETHING,
    SUBJECTS,
    UPLOADS,
    V1,
    VERIFY,
    Row,
    one,
    two,
)

BROKEN = {"content": b"{", "headers": {"content-type": "application/json"}}
TEXT = {"content": b"x", "headers": {"content-type": "text/plain"}}


def refused() -> Iterator[Row]:
    no_face = (28, "No face is found in the given image")
    for path, key, parts in UPLOADS:

        def row(
            says: str, answer: Any, status: int = 400, *, path: str = path, key: str = key, **how: Any
        ) -> Row:
            return Row(says, "POST", path, answer, status, key, **how)

        first, called = next(iter(parts.items()))

        def files(image: str = "obama", name: str = "a.jpg", parts: dict[str, str] = parts) -> Any:
            return dict.fromkeys(parts, (name, image))

        def texts(text: Any, parts: dict[str, str] = parts) -> Any:
            return dict.fromkeys(parts, text)

        yield row("no image", no_face, files=files("text"))
        yield row("cut off", no_face, files=files("cut off"))
        yield row("empty", no_face, files=files("empty"))
        yield row("nobody in it", no_face, files=files("nobody"))
        yield row("base64 of no image", no_face, json=texts("text"))
        yield row("threshold", no_face, files=files(), query={"det_prob_threshold": "1.5"})
        yield row("threshold word", (0, SOMETHING), files=files(), query={"det_prob_threshold": "high"})
        yield row("extension", (21, "File [a.svg] has an unavailable extension"), files=files(name="a.svg"))
        yield row("part", (34, f"Required part {first} is missing"), files={"x": ("a.jpg", "obama")})
        yield row("base64", (21, "Provided value is not Base64"), json=texts("§§§"))
        yield row("data url", (21, "Provided value is not Base64"), json=texts("data:image/png;base64,AAAA"))
        yield row("empty text", (5, f"Field {called} cannot be empty"), json=texts(""))
        yield row("no member", (5, f"Field {called} cannot be empty"), json={})
        yield row("broken json", (0, SOMETHING), send=BROKEN)
        yield row("type", (0, lambda text: "'text/plain' not supported" in text), 415, send=TEXT)
        yield row(
            "large file", (0, lambda text: "5242880" in text), files={**files(), first: ("a.jpg", "6 MB")}
        )
        yield row("large request", (0, lambda text: "too large" in text), 413, files=files("11 MB"))
        if "limit" not in path and "subject" not in path:
            yield row(
                "limit",
                (26, "Limit should be equal or greater than 0; "),
                files=files(),
                query={"limit": "-1"},
            )
            yield row("limit word", (0, SOMETHING), files=files(), query={"limit": "abc"})
            yield row("status word", (0, SOMETHING), files=files(), query={"status": "maybe"})
        yield row(
            "size",
            (26, "min_face_size should be equal or greater than 0; "),
            files=files(),
            query={"min_face_size": "-1"},
        )
    count = (26, "prediction_count should be equal or greater than 1; ")
    yield Row("count", "POST", RECOGNIZE, count, 400, files=one(), query={"prediction_count": "0"})
    yield Row(
        "threshold",
        "POST",
        RECOGNIZE,
        (26, "similarity_threshold should be from 0 to 1; "),
        400,
        files=one(),
        query={"similarity_threshold": "50"},
    )
    yield Row(
        "two in the source",
        "POST",
        VERIFY,
        (31, "More than one face in the source image"),
        400,
        "verification",
        files=two("two", "obama"),
    )
    yield Row(
        "nobody in the target", "POST", VERIFY, no_face, 400, "verification", files=two("obama", "nobody")
    )
    yield Row(
        "two faces",
        "POST",
        FACES,
        (31, "More than one face in the source image"),
        400,
        files=one("two"),
        query={"subject": "X"},
    )
    yield Row("no subject", "POST", FACES, (33, "Required parameter subject is missing"), 400, files=one())
    yield Row(
        "blank subject",
        "POST",
        FACES,
        (26, "Subject name is empty; "),
        400,
        files=one(),
        query={"subject": " "},
    )
    yield Row("no subject", "DELETE", FACES, (26, "Subject name is empty; "), 400)
    for path, key, member, other in (
        (COMPARE, "verification", "source", {"targets": [[1, 2]]}),
        (COMPARE, "verification", "targets", {"source": [1, 2]}),
        (RECOGNIZE_EMBEDDINGS, "recognition", "embeddings", {}),
        (COMPARE_FACE, "recognition", "embeddings", {}),
    ):
        empty = (5, f"Field {member} cannot be empty")
        yield Row("absent", "POST", path, empty, 400, key, json=other)
        yield Row("empty", "POST", path, empty, 400, key, json={**other, member: []})
        yield Row("word", "POST", path, (0, SOMETHING), 400, key, json={**other, member: "x"})
        yield Row("words", "POST", path, (0, SOMETHING), 400, key, json={**other, member: ["x"]})
        yield Row("form", "POST", path, (0, lambda text: "not supported" in text), 415, key, files=one())
    for path in (RECOGNIZE_EMBEDDINGS, COMPARE_FACE):
        for vectors in ([[1, 2]], [[0] * 128], [[1e400] * 128]):
            told = (0, lambda text: text.startswith("embeddings: "))
            yield Row(
                f"{len(vectors[0])} x {vectors[0][0]}", "POST", path, told, 400, json={"embeddings": vectors}
            )
    yield Row(
        "of two lengths",
        "POST",
        COMPARE,
        (0, "targets: an embedding has 2 values"),
        400,
        "verification",
        json={"source": [1, 2], "targets": [[1, 2, 3]]},
    )
    for method, path in (("DELETE", "{}"), ("GET", "{}/img"), ("POST", "{}/verify")):
        how: dict[str, Any] = {"files": one()} if method == "POST" else {}
        yield Row("no uuid", method, f"{FACES}/{path.format('seven')}", (0, SOMETHING), 400, **how)
    yield Row("unknown", "DELETE", f"{FACES}/{NOBODY}", (44, f"Image {NOBODY} not found"), 404)
    yield Row("unknown", "POST", f"{FACES}/{NOBODY}/verify", (44, "Image Id is incorrect"), 404, files=one())
    yield Row(
        "unknown",
        "POST",
        COMPARE_FACE.format(ada=NOBODY),
        (44, "Image Id is incorrect"),
        404,
        json={"embeddings": ["vector"]},
    )
    yield Row("no ids", "POST", f"{FACES}/delete", (0, SOMETHING), 400, json={"ids": []})
    yield Row("no uuid", "POST", f"{FACES}/delete", (0, SOMETHING), 400, json=["seven"])
    for method, path in (("POST", SUBJECTS), ("PUT", f"{SUBJECTS}/Ada")):
        yield Row("blank", method, path, (26, "Subject name cannot be empty"), 400, json={"subject": " "})
        yield Row("absent", method, path, (26, "Subject name cannot be empty"), 400, json={})
        yield Row(
            "long",
            method,
            path,
            (26, "Subject name size must be between 1 and 50"),
            400,
            json={"subject": "x" * 51},
        )
        yield Row(
            "slash",
            method,
            path,
            (36, "The name cannot contain the following special characters: ';', '/', '\\'"),
            400,
            json={"subject": "a/b"},
        )
        yield Row("broken", method, path, (0, SOMETHING), 400, send=BROKEN)
    yield Row("there", "POST", SUBJECTS, (43, "Subject already exists"), 400, json={"subject": "ADA"})
    yield Row("unknown", "PUT", f"{SUBJECTS}/Eve", (42, "Subject Eve not found"), 404, json={"subject": "X"})
    yield Row("unknown", "DELETE", f"{SUBJECTS}/Eve", (42, "Subject Eve not found"), 404)
    yield Row("refused", "POST", f"{V1}/migrate", (0, lambda text: "ask who runs" in text), 403, key="")
    yield Row("no uuid", "GET", f"{V1}/static/{NOBODY}/images/seven", (0, SOMETHING), 400, key="")
    for method, path in (
        ("PATCH", FACES),
        ("GET", DETECT),
        ("PUT", f"{FACES}/{{ada}}/img"),
        ("POST", f"{V1}/config"),
    ):
        yield Row("method", method, path, (0, f"Request method '{method}' not supported"), 404)
    yield Row("path", "GET", f"{V1}/recognition/nothing", (0, lambda text: "no such path" in text), 404)
    for method, path, kind in KEYED:
        name = kind.capitalize()
        other = "recognition" if kind != "recognition" else "detection"
        yield Row("no key", method, path, (20, "Missing header: x-api-key"), 400, key="")
        yield Row("malformed key", method, path, (26, "Service API key should be UUID"), 400, key="=seven")
        unknown = (10, f"{name} service with API Key {NOBODY} not found")
        yield Row("unknown key", method, path, unknown, 404, key=f"={NOBODY}")
        another = (10, lambda text, name=name: text.startswith(f"{name} service with API Key "))
        yield Row(f"key of {other}", method, path, another, 404, key=other)
