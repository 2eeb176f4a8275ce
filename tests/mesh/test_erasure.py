"""What was erased is nowhere any more: not in a table, a file, a replica, a log or a metric."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import grpc
import httpx
import psycopg
from psycopg import sql

from mien.v1 import gallery_pb2 as pb
from mien.v1 import recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from tests.mesh.conftest import Mesh, cropped, mien

# Tables that keep the id of an erased face, and nothing else of it: that it was erased is told there.
# Postgres keeps samples of their columns.
WITH_IDS = {"audit", "audit_inbox", "changes", "pg_statistic"}


def holders(mesh: Mesh, marks: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Where in the database each mark is, in any table, of ours or of Postgres'."""
    with psycopg.connect(mesh.state["database_url"], autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname <> 'information_schema'"
        ).fetchall()
        for schema, table in tables:
            copy = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))
            with connection.cursor().copy(copy) as rows:
                content = b"".join(bytes(row) for row in rows)
            # Text is as it is, bytea is hexadecimal; a UUID is that with hyphens.
            written = content, content.replace(b"-", b"")
            for name, mark in marks.items():
                if mark in content or any(mark.hex().encode() in each for each in written):
                    yield name, table


def files(folder: Path, marks: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """In which files each mark is: of tables, of indexes, of the write-ahead log, and temporary ones."""
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield from ((name, str(path)) for name, mark in marks.items() if mark in content)


def test_an_erased_face_is_nowhere(mesh: Mesh, biden: bytes) -> None:
    key = (("x-api-key", mesh.key("a gallery that forgets")),)
    name, mark = f"Zerubbabel {os.urandom(8).hex()}", os.urandom(32)
    # Of a size of its own, so that no other test has this embedding; what stands behind the end of a JPEG
    # decoders pass over.
    image = cropped("obama", 201) + mark
    replicas = [mesh.address_of(f"classifier-{n}") for n in (1, 2)]
    with grpc.insecure_channel(mesh.address) as channel:
        gallery = GalleryServiceStub(channel)
        for other in ("Ann", "Ben"):  # who stay; Postgres samples no column of a single row
            gallery.AddFace(pb.AddFaceRequest(image=biden, subject=other), metadata=key)
        face = gallery.AddFace(pb.AddFaceRequest(image=image, subject=name), metadata=key).face
        for address in replicas:  # so that both hold it, and have had the photograph
            with grpc.insecure_channel(address) as past_envoy:
                request = recognition_pb2.RecognizeRequest(image=image)
                answer = RecognitionServiceStub(past_envoy).Recognize(request, metadata=key)
                assert answer.revision == 3
        with psycopg.connect(mesh.state["database_url"]) as connection:
            connection.execute("ANALYZE")  # as Postgres does by itself; not again before it samples anew
            (embedding,) = connection.execute(
                "SELECT embedding FROM faces WHERE id = %s", (face.face_id,)
            ).fetchone() or (b"",)
        marks = {
            "image": mark,
            "embedding": bytes(embedding),
            "name": name.encode(),
            "folded": name.casefold().encode(),
            "id": UUID(face.face_id).bytes,
        }
        assert dict(holders(mesh, marks)).keys() == marks.keys()  # the search finds what is there

        erased = gallery.DeleteSubject(pb.DeleteSubjectRequest(subject=name), metadata=key)

    assert {(what, table) for what, table in holders(mesh, marks) if what != "id"} == set()
    assert {table for _, table in holders(mesh, marks)} <= WITH_IDS
    for address in replicas:
        with grpc.insecure_channel(address) as past_envoy:
            state = GalleryServiceStub(past_envoy).GetGalleryState(pb.GetGalleryStateRequest(), metadata=key)
            assert (state.revision, state.rows) == (erased.revision, 2)

    mien("galleries", "scrub", "--data", str(mesh.data))
    del marks["id"]
    assert list(files(mesh.data, marks)) == []

    said = "\n".join(mesh.log)
    for process, url in mesh.state["metrics"].items():
        said += f"{process}: {httpx.get(url).text}"
    texts = [name, face.face_id, key[0][1], str(marks["embedding"][:8].hex()), str(mark.hex())]
    assert [text for text in texts if text.casefold() in said.casefold()] == []
