"""The curl lines of README and docs do what they say."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.mesh.conftest import Mesh
from tests.photographs import photograph

ROOT = Path(__file__).parents[2]


def commands(document: Path) -> list[str]:
    """The curl commands of a document's blocks of code, each in one line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", "").splitlines()
    return [line for line in lines if line.startswith("curl ")]


DOCUMENTS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if commands(path)]


def test_there_are_lines_to_try() -> None:
    assert {path.name for path in DOCUMENTS} == {"README.md", "compreface.md"}


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
