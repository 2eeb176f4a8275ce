"""The curl lines of README and docs, and the Python of docs/api.md, do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mesh.conftest import Mesh
from tests.photographs import photograph

ROOT = Path(__file__).parents[2]


def commands(document: Path) -> list[str]:
    """The curl commands of a document's blocks of code, each in one line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", "").splitlines()
    return [line for line in lines if line.startswith("curl ") and "$URL" not in line]


DOCUMENTS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if commands(path)]


def test_there_are_lines_to_try() -> None:
    assert {path.name for path in DOCUMENTS} == {"README.md", "compreface.md", "strangers.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_curl_line_works(mesh: Mesh, key: str, tmp_path: Path, document: Path) -> None:
    (tmp_path / "ada.jpg").write_bytes(photograph("obama").read_bytes())
    (tmp_path / "party.jpg").write_bytes(photograph("obama2").read_bytes())
    keys = {
        f"{kind.upper()}_KEY": mesh.key(f"{kind} {key}"[:50], kind) for kind in ("detection", "verification")
    }
    for command in commands(document):
        done = subprocess.run(
            [
                "bash",
                "-c",
                command.replace("http://127.0.0.1:8000", mesh.url).replace("curl ", "curl -sSf ", 1),
            ],
            env={"KEY": key, "PATH": "/usr/local/bin:/usr/bin:/bin", **keys},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert (
            "Ada" in done.stdout
            or "result" in done.stdout
            or "updated" in done.stdout
            or "deleted" in done.stdout
        )


PROGRAMS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/api.md").read_text(), re.MULTILINE | re.DOTALL)


def run(program: str, mesh: Mesh, key: str, folder: Path) -> str:
    """What it prints, at this mesh."""
    for said, meant in (('"..."', f'"{key}"'), ("127.0.0.1:8000", mesh.address)):
        assert said in program
        program = program.replace(said, meant)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_program_recognises_whom_it_enrolled(mesh: Mesh, key: str, tmp_path: Path) -> None:
    (tmp_path / "ada.jpg").write_bytes(photograph("obama").read_bytes())
    (tmp_path / "party.jpg").write_bytes(photograph("obama2").read_bytes())
    assert " Ada " in run(PROGRAMS[0], mesh, key, tmp_path)


def test_the_second_program_enrols_a_folder_and_may_be_run_again(
    mesh: Mesh, key: str, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for name in ("obama", "obama2", "biden"):
        (people / f"{name}.jpg").write_bytes(photograph(name).read_bytes())
    (people / "nobody.jpg").write_bytes(b"no image")
    told = [sorted(run(PROGRAMS[1], mesh, key, tmp_path).splitlines()) for _ in range(2)]
    assert [line.split()[0] for line in told[0]] == ["biden", "nobody", "obama", "obama2"]
    assert told[0] == told[1]  # the ids too


BEFORE_THE_THIRD = """
import grpc
from mien.v1 import gallery_pb2, gallery_pb2_grpc, recognition_pb2, recognition_pb2_grpc

key = [("x-api-key", "...")]
channel = grpc.insecure_channel("127.0.0.1:8000")
recognition = recognition_pb2_grpc.RecognitionServiceStub(channel)
image = open("ada.jpg", "rb").read()
request = gallery_pb2.AddFaceRequest(image=image, subject="Ada")
added = gallery_pb2_grpc.GalleryServiceStub(channel).AddFace(request, metadata=key)
"""


def test_the_third_program_reads_what_was_written(mesh: Mesh, key: str, tmp_path: Path) -> None:
    (tmp_path / "ada.jpg").write_bytes(photograph("obama").read_bytes())
    after = "print(answer.revision >= added.revision, answer.faces[0].matches[0].subject)\nchannel.close()\n"
    assert run(BEFORE_THE_THIRD + PROGRAMS[2] + after, mesh, key, tmp_path) == "True Ada\n"
    assert len(PROGRAMS) == 3
