"""How what takes long says how far it is."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

# Called with what is being done, how much of it is done, and the whole; both in bytes. A whole of 0 is
# not known yet. May be called from another thread.
Progress = Callable[[str, int, int], None]

PACE = 2.0  # seconds between two lines of the log


def silent(what: str, done: int, total: int) -> None:
    """Says nothing."""


class Logged:
    """Says it in the log, for a process that nobody watches. A Progress."""

    def __init__(self) -> None:
        self._said = 0.0  # time.monotonic(), in seconds

    def __call__(self, what: str, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._said > PACE:
            self._said = time.monotonic()
            log.info("%s: %.1f of %.1f MB", what, done / 1e6, total / 1e6)
