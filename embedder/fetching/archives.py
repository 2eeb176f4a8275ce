"""Takes single files out of what is published; no code of an archive runs."""

import errno
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from embedder.fetching.cache import alone, arriving
from embedder.fetching.downloading import download, has_hash
from embedder.fetching.progress import Progress, silent
from embedder.fetching.sources import Folder, Member, Source
from embedder.fetching.web import CHUNK, FetchError


def fetch(source: Source, members: Sequence[Member], cache: Path, progress: Progress = silent) -> list[Path]:
    """Where `members` of `source` lie, in their order, each with its right hash.

    What is not in `cache`, or damaged there, is fetched, from where a fetch before was cut off. Of several
    processes one fetches and the others wait for it; of an archive only the members are kept. Raises
    FetchError.
    """
    paths = [place(source, member, cache) for member in members]
    wanted = dict(zip(paths, members, strict=True))
    with plainly(cache):
        missing = _missing(wanted)
        if missing and isinstance(source, Folder):
            raise FetchError(f"{next(iter(missing))} has gone, or has changed since it was read: start again")
        if missing and not isinstance(source, Folder):
            with alone(cache / source.file):
                if missing := _missing(wanted):  # unless another process has fetched it meanwhile
                    part = cache / f"{source.file}.part"
                    download(source, part, progress)
                    _extract(source.file, part, missing)
                    part.unlink()
    return paths


def place(source: Source, member: Member, cache: Path) -> Path:
    """Where a member lies once it is fetched."""
    if isinstance(source, Folder):
        return source.path / member.path
    return cache / source.file / PurePosixPath(member.path).name


@contextmanager
def plainly(cache: Path) -> Iterator[None]:
    """Inside, trouble with the disk is a FetchError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            trouble = "no room is left for it"
        else:
            trouble = error.strerror or str(error)
        raise FetchError(f"cannot write to {cache} ({trouble}): MIEN_CACHE names another folder") from None


def _extract(called: str, part: Path, missing: dict[Path, Member]) -> None:
    left = {member.path: path for path, member in missing.items()}
    for name, file in _files(part, called):
        if path := left.pop(name, None):
            with arriving(path) as new:
                with new.open("wb") as out:
                    while chunk := file.read(CHUNK):
                        out.write(chunk)
                if not has_hash(new, missing[path].sha256):
                    raise FetchError(f"{name} in {called} has another sha256: update mien")
        if not left:
            return
    raise FetchError(f"{called} holds no {', '.join(left)}: update mien")


def _files(part: Path, called: str) -> Iterator[tuple[str, IO[bytes]]]:
    if called.endswith((".whl", ".zip")):
        with zipfile.ZipFile(part) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    yield name, file
    elif called.endswith(".tar.gz"):
        with tarfile.open(part, "r|gz") as sdist:
            for entry in sdist:
                if (content := sdist.extractfile(entry)) is not None:
                    yield entry.name.partition("/")[2], content
    else:
        with part.open("rb") as file:
            yield called, file


def _missing(wanted: dict[Path, Member]) -> dict[Path, Member]:
    return {path: member for path, member in wanted.items() if not has_hash(path, member.sha256)}
