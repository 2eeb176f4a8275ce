"""All that is held about a subject, fetched as people fetch it."""

import io
import json
import zipfile
from urllib.parse import quote

import grpc
import httpx

from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from tests.mesh.conftest import Mesh

NAME = "Ada Ünal"


def lines(archive: zipfile.ZipFile, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in archive.read(name).splitlines()]


def test_a_subject_is_exported_with_all_that_is_held_about_it(mesh: Mesh, key: str, obama: bytes) -> None:
    metadata = (("x-api-key", key),)
    larger = obama + bytes(1 << 20)  # several pieces
    with grpc.insecure_channel(mesh.address) as channel:
        gallery = GalleryServiceStub(channel)
        faces = [
            gallery.AddFace(
                pb.AddFaceRequest(image=image, subject=NAME, idempotency_key=known), metadata=metadata
            )
            for image, known in ((obama, "first"), (larger, ""))
        ]
        gallery.AddFace(pb.AddFaceRequest(image=obama, subject="Ben"), metadata=metadata)
        request = pb.ExportSubjectRequest(subject=NAME.upper())
        sent = b"".join(piece.data for piece in gallery.ExportSubject(request, metadata=metadata))
    answer = httpx.get(f"{mesh.url}/v1/subjects/{quote(NAME)}:export", headers={"x-api-key": key})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["cache-control"] == "no-store"

    for content, exports in ((sent, 1), (answer.content, 2)):
        archive = zipfile.ZipFile(io.BytesIO(content))
        assert archive.testzip() is None
        about = json.loads(archive.read("subject.json"))
        assert about["name"] == NAME
        one, other = lines(archive, "faces/1.jsonl")
        assert [one["id"], other["id"]] == [each.face.face_id for each in faces]
        assert (one["idempotency_key"], other["idempotency_key"]) == ("first", None)
        assert (one["model"], one["has_image"], len(list(one["embedding"]))) == ("open", True, 128)  # type: ignore[call-overload]
        assert archive.read(f"images/{one['id']}.jpg") == obama
        assert archive.read(f"images/{other['id']}.jpg") == larger
        assert len(archive.namelist()) == 5
        told = lines(archive, "audit/1.jsonl")
        assert [each["action"] for each in told] == [*["face.added"] * 2, *["subject.exported"] * exports]
        assert all(about["id"] in each["subjects"] for each in told)  # type: ignore[operator]
        assert "Ben" not in str(lines(archive, "faces/1.jsonl")) + str(told)


def test_nobody_is_not_exported(mesh: Mesh, key: str) -> None:
    answer = httpx.get(f"{mesh.url}/v1/subjects/nobody:export", headers={"x-api-key": key})
    assert answer.status_code == 404
    assert "nobody" in answer.json()["message"]
