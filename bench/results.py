"""Where measurements go, and what they are reduced to."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def write(name: str, **measured: Any) -> Path:
    """Writes what was measured, and on what machine, into a new file."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{datetime.now():%Y-%m-%d-%H%M%S}-{name}.json"
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    file.write_text(json.dumps({"machine": machine, **measured}, indent=1))
    return file


def percentile(ascending: Sequence[float], share: float) -> float:
    """The number that this share of all is less than."""
    return ascending[int(len(ascending) * share)]
