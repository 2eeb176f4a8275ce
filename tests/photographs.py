"""The photographs that tests look at, fetched once by name and hash."""

from functools import cache
from pathlib import Path

from embedder.fetching.cache import default_cache
from embedder.samples import photographs


def photograph(name: str) -> Path:
    """One of obama, obama2, obama3, obama_partial_face, obama_partial_face2, biden, 32bit."""
    return _photographs()[name]


@cache
def _photographs() -> dict[str, Path]:
    return photographs(default_cache())
