"""The folder that keeps what was fetched, shared by every process of this user."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

log = logging.getLogger(__name__)


def default_cache() -> Path:
    """The folder that MIEN_CACHE names, or else the place where this system keeps caches."""
    return Path(os.environ.get("MIEN_CACHE") or platformdirs.user_cache_dir("mien"))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Inside, this process is the only one to work on `path`; others wait until it is done or dead."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process is at work on %s: waiting for it", path.name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # to close the file is to unlock it


@contextmanager
def arriving(path: Path) -> Iterator[Path]:
    """A path to write to. It becomes `path` at once and as a whole, or not at all if that fails.

    To be used inside `alone`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    try:
        yield new
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
