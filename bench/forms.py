"""In which form the recogniser is measured: int8, or what EMBEDDER_PRECISION says where that is slower."""

import os
from pathlib import Path

from embedder.preparation import IN_INT8
from embedder.settings import FLOAT32, INT8

FILES = {FLOAT32: "recogniser", INT8: IN_INT8}  # by the names of what `prepare` answers


def fixed(files: dict[str, Path]) -> Path:
    """The file of that form. Embedders that are started from here on are told to take it too."""
    form = os.environ.setdefault("EMBEDDER_PRECISION", INT8)
    return files[FILES[form]]
