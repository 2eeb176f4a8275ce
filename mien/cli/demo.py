"""`mien demo`: the whole mesh at work on real photographs, in half a minute."""

import asyncio
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import grpc
from rich.console import Console
from rich.table import Table

from embedder.fetching.cache import default_cache
from embedder.pack import DEFAULT, read_pack
from embedder.samples import photographs
from mien.cli.database import in_database
from mien.cli.models import bars, pull_pack
from mien.cli.pictures import annotate
from mien.cli.plainly import CommandError
from mien.launcher.folder import Folder
from mien.launcher.mesh import Mesh, Plan
from mien.v1 import face_pb2, gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from store.services import create_service

SAME_PERSON = 0.5  # similarity, at the model pack's operating point
STRANGER = "a stranger"
ENROLLED = {"obama": "Barack Obama"}
PROBES = {
    "obama2": "Barack Obama",
    "obama3": "Barack Obama",
    "biden": STRANGER,  # nobody has enrolled him
}


class Verdict(NamedTuple):
    """What the mesh says of the largest face of a photograph."""

    photograph: str
    box: face_pb2.Box
    subject: str  # the most similar one
    similarity: float

    @property
    def person(self) -> str:
        return self.subject if self.similarity >= SAME_PERSON else STRANGER

    @property
    def expected(self) -> str:
        return PROBES[self.photograph]


def run_demo(output: Path) -> None:
    """Writes pictures into `output`, and the mesh's data, anew each time. Raises CommandError."""
    output = output.absolute()
    console = Console(soft_wrap=True, highlight=False)
    pull_pack(read_pack(DEFAULT))
    with bars() as report:
        photos = photographs(default_cache(), report)
    folder = Folder(output / "mesh")
    with folder.held():
        shutil.rmtree(folder.postgres, ignore_errors=True)
        console.print("Starting the mesh: Postgres, an embedder, a classifier, admin, Envoy ...")
        key, verdicts = asyncio.run(_in_a_mesh(folder, photos))
    console.print(_table(verdicts))
    for verdict in verdicts:
        label = f"{verdict.person} ({verdict.similarity:.2f})"
        annotate(photos[verdict.photograph], verdict.box, label, output / f"{verdict.photograph}.jpg")
    console.print(f"\nPictures: {output}/*.jpg\n\n{_next_steps(folder, key, photos['obama2'])}")
    if wrong := [verdict.photograph for verdict in verdicts if verdict.person != verdict.expected]:
        raise CommandError(f"not as it should be: {', '.join(wrong)}")


async def _in_a_mesh(folder: Folder, photos: Mapping[str, Path]) -> tuple[str, list[Verdict]]:
    """Runs a mesh for as long as it takes to make a service, enrol and recognise."""
    log: list[str] = []
    mesh = Mesh(Plan(folder, port=0), lambda name, line: log.append(f"{name} | {line}"))
    ready, told_to_stop = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(mesh.run(lambda url: ready.set(), told_to_stop))
    starting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not ready.is_set():
            starting.cancel()
            running.result()
        return await asyncio.to_thread(_enrol_and_recognise, folder, mesh.port, photos)
    except Exception:
        print("\n".join(log[-40:]), file=sys.stderr)
        raise
    finally:
        told_to_stop.set()
        await asyncio.wait({running})


def _enrol_and_recognise(folder: Folder, port: int, photos: Mapping[str, Path]) -> tuple[str, list[Verdict]]:
    _, key = in_database(folder.path, lambda connection: create_service(connection, "demo", "recognition"))
    credentials = (("x-api-key", key),)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        gallery, recognition = GalleryServiceStub(channel), RecognitionServiceStub(channel)
        for name, subject in ENROLLED.items():
            face = gallery_pb2.AddFaceRequest(image=photos[name].read_bytes(), subject=subject)
            gallery.AddFace(face, metadata=credentials)
        verdicts = []
        for name in PROBES:
            probe = recognition_pb2.RecognizeRequest(image=photos[name].read_bytes(), max_faces=1)
            (found,) = recognition.Recognize(probe, metadata=credentials).faces
            best = found.matches[0]
            verdicts.append(Verdict(name, found.face.box, best.subject, best.similarity))
    return key, verdicts


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(
        "photograph", "most like", "similarity", "verdict", title=f"Enrolled: {', '.join(ENROLLED.values())}"
    )
    for verdict in verdicts:
        table.add_row(verdict.photograph, verdict.subject, f"{verdict.similarity:.5f}", verdict.person)
    return table


def _next_steps(folder: Folder, key: str, photograph: Path) -> str:
    command = shlex.quote(str(Path(sys.argv[0]).absolute())) if sys.argv[0].endswith("mien") else "mien"
    return (
        "Try it yourself, on the same gallery. In one terminal:\n"
        f"  {command} up --data {shlex.quote(str(folder.path))}\n"
        "and in another:\n"
        f"  curl -H 'x-api-key: {key}' -F file=@{shlex.quote(str(photograph))} "
        "http://127.0.0.1:8000/api/v1/recognition/recognize"
    )
