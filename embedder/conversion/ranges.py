"""Between which numbers the tensors of a network lie: measured once, on photographs that need not be here."""

import tomllib
from importlib.resources import files

Range = tuple[float, float]


def read_ranges(name: str) -> dict[str, Range]:
    """The ranges of the file of this name, by the names of tensors as a network has them once converted."""
    told = tomllib.loads((files("embedder") / f"conversion/{name}.toml").read_text())
    return {tensor: (low, high) for tensor, (low, high) in told.items()}
