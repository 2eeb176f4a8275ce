"""Lets a driver make its calls to a mesh, and hands out what each came to."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.mesh.conftest import Mesh

SDKS = Path(__file__).parent
PATIENCE = 60.0  # seconds that a driver may take for all its calls


class Outcomes:
    """What the calls of a driver came to, by the driver's names for them."""

    def __init__(self, keys: dict[str, str], outcomes: dict[str, dict[str, Any]]) -> None:
        self.keys = keys  # by type of service
        self._outcomes = outcomes

    def answer(self, name: str) -> Any:
        """The JSON that the SDK returned."""
        return self._read(name, "answer")

    def refusal(self, name: str) -> tuple[int | None, Any]:
        """The HTTP status and the JSON of an error; an SDK that does not look at statuses tells none."""
        outcome = self._outcomes[name]
        return outcome.get("status"), self._read(name, "refused" if "status" in outcome else "answer")

    def raised(self, name: str) -> str:
        """The error of the SDK itself, with its type."""
        return str(self._read(name, "raised"))

    def _read(self, name: str, part: str) -> Any:
        outcome = self._outcomes[name]
        assert part in outcome, f"{name}: {outcome}"
        return outcome[part]


def drive_python(mesh: Mesh, pictures: Path) -> Outcomes:
    interpreter = Path(f"{sys.prefix}-sdk/bin/python")
    assert interpreter.exists(), "the SDK for Python is not installed; `make test` does that"
    return _drive([interpreter, "-I", SDKS / "python/driver.py"], mesh, pictures)


def drive_javascript(mesh: Mesh, pictures: Path) -> Outcomes:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("the SDK for JavaScript needs Node with npm, and there is none")
    installed = (SDKS / "javascript/node_modules").exists()
    assert installed, "the SDK for JavaScript is not installed; `make test` does that"
    return _drive(["node", SDKS / "javascript/driver.mjs"], mesh, pictures)


def _drive(command: Sequence[str | Path], mesh: Mesh, pictures: Path) -> Outcomes:
    types = ("recognition", "detection", "verification")
    keys = {kind: mesh.key(f"{Path(command[0]).name} {kind}", kind) for kind in types}
    with _served(pictures) as url:
        asked = {"server": "http://127.0.0.1", "port": str(mesh.port), "pictures": url, "keys": keys}
        done = subprocess.run(
            [*command, json.dumps(asked)], cwd=pictures, capture_output=True, text=True, timeout=PATIENCE
        )
    assert done.returncode == 0, done.stderr
    return Outcomes(keys, json.loads(done.stdout))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The URL where a web server has the files of the folder."""

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
