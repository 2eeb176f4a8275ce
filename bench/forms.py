"""In which form the recogniser is measured: int8, or what EMBEDDER_PRECISION says where that is slower."""

import os

from embedder.preparation import IN_INT8
from embedder.settings import FLOAT32, INT8

FILES = {FLOAT32: "recogniser", INT8: IN_INT8}  # by the names of what `prepare` answers


def fixed() -> str:
    """That form. Embedders that are started from here on are told to take it too."""
    return os.environ.setdefault("EMBEDDER_PRECISION", INT8)
