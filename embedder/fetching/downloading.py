"""Brings a published file here as a whole, from where the last try broke off."""

import hashlib
from pathlib import Path

from embedder.fetching import index
from embedder.fetching.progress import Progress
from embedder.fetching.sources import Archive, Download
from embedder.fetching.web import FetchError, Interrupted, Web, persistently

_BY_HAND = "docs/models.md says how to bring it by other means"


def download(source: Archive | Download, part: Path, progress: Progress) -> None:
    """Returns once `part` is the file of `source`, by its hash. Raises FetchError."""
    if has_hash(part, source.sha256):
        return
    web, url = _located(source)
    resumed = part.exists()
    persistently(lambda: _append(web, url, source, part, progress))
    if resumed and not has_hash(part, source.sha256):  # a damaged beginning: once more, from nothing
        part.unlink()
        persistently(lambda: _append(web, url, source, part, progress))
    if not has_hash(part, source.sha256):
        part.unlink()
        raise FetchError(
            f"{source.file} is not the file it should be (its sha256 differs) and was thrown away: "
            f"try again; {web.remedy}"
        )


def has_hash(path: Path, sha256: str) -> bool:
    """Whether there is a file at `path`, with this hash."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


def _located(source: Archive | Download) -> tuple[Web, str]:
    match source:
        case Archive():
            web = index.configured()
            return web, index.find(web, source.project, source.file)
        case Download():
            return Web(source.url, index.authority(), _BY_HAND), source.url


def _append(web: Web, url: str, source: Archive | Download, part: Path, progress: Progress) -> None:
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
                progress(source.file, done, total)
    if done < total:
        raise Interrupted(f"{source.file} broke off at {done} of {total} bytes: try again, it resumes")
