"""What people install: the sdist, the wheel made from it, and the light SDK of it."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made from the sdist made from what git knows here."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    # No isolation: the build requirements are in the environment of the tests.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def test_the_wheel_has_stubs_types_descriptor_schema_and_envoys_config(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= {
        "mien/py.typed",
        "mien/descriptor.pb",
        "mien/v1/__init__.py",
        "mien/v1/recognition_pb2.py",
        "mien/v1/recognition_pb2.pyi",
        "mien/v1/recognition_pb2_grpc.py",
        "mien/v1/recognition_pb2_grpc.pyi",
        "mien/rest/v1/compreface_pb2.py",
        "mien/_envoy/envoy.yaml",
        "store/schema/0001_galleries.sql",
        "embedder/chips.toml",
        "embedder/conversion/dlib_ranges.toml",
        "embedder/packs/open.toml",
        "embedder/packs/sface.toml",
        "classifier/openapi/examples.json",
        "classifier/openapi/page.html",
        "classifier/openapi/page.css",
        "classifier/openapi/page.js",
    }
    assert not [name for name in names if name.startswith(("tests", "bench"))]


def test_the_light_sdk_needs_no_server(wheel: Path, tmp_path: Path) -> None:
    """Stubs import where only the bare dependencies are, and the command says what to install."""
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env/lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for package in ("grpc", "google", "grpc_status", "typing_extensions.py"):
        (site / package).symlink_to(here / package)
    python = str(tmp_path / "env/bin/python")
    sdk = "import mien.v1.recognition_pb2_grpc, mien.v1.gallery_pb2_grpc, mien.rest.v1.compreface_pb2_grpc"
    subprocess.run([python, "-c", sdk], check=True, cwd=tmp_path)
    command = subprocess.run([python, "-m", "mien", "up"], capture_output=True, text=True, cwd=tmp_path)
    assert command.returncode == 1
    assert "pip install 'mien[server,cpu]'" in command.stderr
