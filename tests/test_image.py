"""The Dockerfile, built for real where that is possible: as root, with buildah and debootstrap.

That takes minutes. So pytest's cache remembers what has passed, and it is built again when anything that goes
into the image has changed, and in another week: Debian, and what builds the package, have versions of their
own. A clean clone always builds; so does `pytest --cache-clear tests/test_image.py`.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("buildah", "debootstrap")
PASSED = "mien/image"  # the key of what the last image that passed was built of
COMMANDS = [
    ["mien", "--version"],
    ["mien", "gateway", "--help"],
    ["python", "-m", "embedder", "--help"],
    ["python", "-m", "classifier", "--help"],
    ["python", "-m", "admin", "--help"],
    ["python", "-m", "store", "--help"],
]

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


class Container(NamedTuple):
    buildah: Buildah
    name: str
    ran: list[list[str]]  # the commands that did as they should


def built_of() -> str:
    """A hash of all that .dockerignore lets into the image, of how it is tested, and of the week."""
    rules = (ROOT / ".dockerignore").read_text().split()
    left_out = [rule for rule in rules if rule != "*" and not rule.startswith("!")]
    let_in = [ROOT / rule[1:] for rule in rules if rule.startswith("!")]
    digest = hashlib.sha256(date.today().strftime("%G week %V").encode())
    files = (file for path in let_in for file in (path, *path.rglob("*")) if file.is_file())
    for file in sorted((*files, ROOT / ".dockerignore", Path(__file__))):
        name = file.relative_to(ROOT)
        if not any(place.match(rule) for place in (name, *name.parents) for rule in left_out):
            digest.update(
                f"{name} {file.stat().st_mode} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode()
            )
    return digest.hexdigest()


@pytest.fixture(scope="module")
def container(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Container]:
    cache, now = request.config.cache, built_of()
    assert cache
    if cache.get(PASSED, None) == now:
        pytest.skip("nothing that the image is built of has changed since it passed")
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    borrowed = ("/etc/ssl/certs/ca-certificates.crt", "/etc/resolv.conf")
    mounts = [word for path in borrowed for word in ("--volume", f"{path}:{path}:ro")]
    build = ["build", "--isolation", "chroot", "--network", "host", "--pull=false", "--format", "docker"]
    buildah(*build, *mounts, "--build-arg", f"BASE={buildah.base()}", "--tag", "localhost/mien", ROOT)
    container = Container(buildah, buildah("from", "--pull=false", "localhost/mien"), [])
    yield container
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")
    if container.ran == COMMANDS and built_of() == now:  # nothing was edited meanwhile
        cache.set(PASSED, now)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_image_runs_every_command_as_nobody_in_particular(
    container: Container, command: list[str]
) -> None:
    buildah, name, ran = container
    assert buildah("run", "--isolation", "chroot", name, "--", "id", "-u") == "10001"
    assert buildah("run", "--isolation", "chroot", name, "--", *command)
    ran.append(command)
