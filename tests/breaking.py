"""Fails if proto/ breaks its clients: compares it with the newest release, or its first version."""

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from hatch_build import compile_protos  # noqa: E402


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


def baseline() -> str | None:
    """The newest tag v*, else the first commit that has a contract; None before there is one."""
    releases = git("tag", "--list", "v*", "--sort=-version:refname").decode().split()
    firsts = git("log", "--diff-filter=A", "--format=%H", "--", "proto").decode().split()
    return next(iter([*releases[:1], *firsts[-1:]]), None)


def main() -> None:
    revision = baseline()
    if revision is None:
        print("no earlier contract to compare with")
        return
    with TemporaryDirectory() as folder:
        old = Path(folder)
        with zipfile.ZipFile(BytesIO(git("archive", "--format=zip", revision, "proto"))) as archive:
            archive.extractall(old)
        (old / "mien").mkdir()
        compile_protos(old)
        buf = Path(sys.executable).with_name("buf")
        against = f"{old}/mien/descriptor.pb#format=binpb"
        subprocess.run(
            [buf, "breaking", "mien/descriptor.pb#format=binpb", "--against", against], cwd=ROOT, check=True
        )


if __name__ == "__main__":
    main()
