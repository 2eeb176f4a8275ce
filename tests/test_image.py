"""The Dockerfile, built for real where that is possible: as root, with buildah and debootstrap."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("buildah", "debootstrap")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a build without an engine needs root"),
    pytest.mark.skipif(
        not all(map(shutil.which, TOOLS)), reason="apt install buildah debootstrap, to build the image here"
    ),
    pytest.mark.timeout(900),
]


class Buildah:
    """Builds and runs in a folder of its own, without a registry and without an engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options = ["--root", f"{folder}/images", "--runroot", f"{folder}/run"]
        self._options += ["--storage-driver", "overlay"]

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run(["buildah", *self._options, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def base(self) -> str:
        """A Debian with Python, in place of the one that a registry would give."""
        debian = self._folder / "debian"
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", debian],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        container = self("from", "scratch")
        self("add", container, debian, "/")
        shutil.rmtree(debian)
        self("commit", "--rm", container, "localhost/debian-python")
        return "localhost/debian-python"


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Buildah, str]]:
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    borrowed = ("/etc/ssl/certs/ca-certificates.crt", "/etc/resolv.conf")
    mounts = [word for path in borrowed for word in ("--volume", f"{path}:{path}:ro")]
    build = ["build", "--isolation", "chroot", "--network", "host", "--pull=false", "--format", "docker"]
    buildah(*build, *mounts, "--build-arg", f"BASE={buildah.base()}", "--tag", "localhost/mien", ROOT)
    name = buildah("from", "--pull=false", "localhost/mien")
    yield buildah, name
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


@pytest.mark.parametrize(
    "command",
    [
        ["mien", "--version"],
        ["mien", "gateway", "--help"],
        ["python", "-m", "embedder", "--help"],
        ["python", "-m", "classifier", "--help"],
        ["python", "-m", "store", "--help"],
    ],
)
def test_the_image_runs_every_command_as_nobody_in_particular(
    container: tuple[Buildah, str], command: list[str]
) -> None:
    buildah, name = container
    assert buildah("run", "--isolation", "chroot", name, "--", "id", "-u") == "10001"
    assert buildah("run", "--isolation", "chroot", name, "--", *command)
