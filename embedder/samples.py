"""Photographs to try mien with."""

import tomllib
from importlib.resources import files
from pathlib import Path

from embedder.fetching.archives import fetch
from embedder.fetching.progress import Progress, silent
from embedder.fetching.sources import Archive, Member


def photographs(cache: Path, progress: Progress = silent) -> dict[str, Path]:
    """Files of photographs by their names, such as "obama"; fetched once. Raises FetchError."""
    listed = tomllib.loads((files("embedder") / "packs/samples.toml").read_text())
    members = [Member(path, sha256) for path, sha256 in listed["members"].items()]
    return {path.stem: path for path in fetch(Archive(**listed["archive"]), members, cache, progress)}
