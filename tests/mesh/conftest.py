"""A whole mesh as people run it, `mien up`: two classifiers, two embedders, Envoy, Postgres."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import httpx
import psutil
import psycopg
import pytest
from PIL import Image

from store.services import create_service
from tests.photographs import photograph
from tests.plain import NO_TLS

PATIENCE = 90.0  # seconds until a mesh must be ready; a cold cache is filled before


class Mesh(NamedTuple):
    process: subprocess.Popen[str]
    data: Path
    port: int
    log: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> dict[str, Any]:
        """What the mesh tells other commands."""
        return json.loads((self.data / "mesh.json").read_text())  # type: ignore[no-any-return]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def key(self, name: str, kind: str = "recognition") -> str:
        """The key of a new service."""
        with psycopg.connect(self.state["database_url"], autocommit=True) as connection:
            return create_service(connection, name, kind)[1]

    def address_of(self, name: str) -> str:
        """Where a process of the mesh listens, past Envoy."""
        return f"127.0.0.1:{self.state['ports'][name]}"

    def pid_of(self, name: str) -> int:
        """The process that listens where `name` does, now."""
        port = int(self.address_of(name).rpartition(":")[2])
        for child in psutil.Process(self.process.pid).children(recursive=True):
            for socket in child.net_connections("tcp"):
                if socket.status == psutil.CONN_LISTEN and socket.laddr.port == port:
                    return child.pid
        raise LookupError(f"{name} is not running")


def mien(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mien", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="session")
def mesh() -> Iterator[Mesh]:
    photograph("obama")  # the sample photographs and the model pack are fetched once, before the clock runs
    mien("models", "pull")
    data = Path(mkdtemp(prefix="mien-test-"))
    temporary = data / "temporary"  # so that a test can tell what the mesh leaves there
    temporary.mkdir()
    command = [sys.executable, "-m", "mien", "up", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(
        [*command, "--classifiers", "2", "--embedders", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"NO_COLOR": "1", "TMPDIR": str(temporary)},
    )
    port, log, reader = _ready(process)
    mesh = Mesh(process, data, port, log)
    yield mesh
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0, "\n".join(mesh.log[-40:])
    reader.join(5)
    shutil.rmtree(data)


def _ready(process: subprocess.Popen[str]) -> tuple[int, list[str], threading.Thread]:
    """The port of a mesh once it is ready; its log, which goes on growing, and who reads it."""
    log: list[str] = []
    port: list[int] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout
        with process.stdout as lines:
            for line in lines:
                log.append(line.rstrip())
                if said := re.search(r"mien is ready: http://127\.0\.0\.1:(\d+)", line):
                    port.append(int(said[1]))
                    ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert ready.wait(PATIENCE), "\n".join(log[-40:])
    assert port, "\n".join(log[-40:])
    return port[0], log, reader


@pytest.fixture
def key(mesh: Mesh, request: pytest.FixtureRequest) -> str:
    """The key of an empty gallery of the test's own."""
    return mesh.key(f"{request.node.name[:40]} {os.urandom(4).hex()}")


@pytest.fixture
def rest(mesh: Mesh, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"{mesh.url}/api/v1/recognition", headers={"x-api-key": key}, timeout=30, verify=NO_TLS
    ) as client:
        yield client


def cropped(name: str, side: int = 220) -> bytes:
    """A sample photograph, small, so that a test that needs many calls takes little time."""
    with Image.open(photograph(name)) as image:
        image.thumbnail((side, side))
        file = BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="session")
def obama() -> bytes:
    return cropped("obama")


@pytest.fixture(scope="session")
def biden() -> bytes:
    return cropped("biden")


@pytest.fixture(scope="session")
def two_faces(obama: bytes, biden: bytes) -> bytes:
    """A picture with two faces side by side."""
    left, right = Image.open(BytesIO(obama)), Image.open(BytesIO(biden))
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    file = BytesIO()
    both.save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="session")
def no_face() -> bytes:
    file = BytesIO()
    Image.effect_noise((320, 240), 40).convert("RGB").save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def pictures(two_faces: bytes, no_face: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, for programs that read files."""
    folder = tmp_path_factory.mktemp("pictures")
    files = {"both.jpg": two_faces, "nobody.png": no_face, "notes.txt": b"no image"}
    files |= {f"{name}.jpg": cropped(name, 400) for name in ("obama", "obama2", "obama3", "biden")}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
