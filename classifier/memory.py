"""How much memory galleries may take."""

import os
from pathlib import Path

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


def budget(classifiers: int = 2) -> int:
    """What each of so many on this machine, or in this container, may take, in bytes: all of them half of it.

    The other half is for searches, for galleries while they change, and for everybody else.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *(limit for path in _LIMITS if (limit := _limit(Path(path))))]) // 2 // classifiers


def _limit(path: Path) -> int | None:
    """None where there is none, which one version of cgroups writes as "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
