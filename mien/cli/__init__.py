"""The command line."""

import sys


def main() -> None:
    """Runs `mien`. The light SDK alone has no commands, and says how to get them."""
    try:
        from mien.cli.commands import app
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] in {
            "mien",
            "serving",
            "store",
            "embedder",
            "classifier",
            "admin",
        }:
            raise
        sys.exit(f"{missing.name} is missing: the commands need pip install 'mien[server,cpu]'")
    app()
