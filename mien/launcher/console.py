"""One stream of log lines, each with the name of the process that wrote it."""

import sys

from rich.console import Console
from rich.text import Text

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow")


class Lines:
    """Prints a line of a process. The names line up; each has a colour of its own on a terminal."""

    def __init__(self, width: int) -> None:
        self._console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
        self._width = width
        self._colours: dict[str, str] = {}

    def __call__(self, name: str, line: str) -> None:
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        self._console.print(Text.assemble((f"{name:<{self._width}} | ", colour), line))

    def say(self, line: str) -> None:
        """A line of mien itself."""
        self._console.print(Text(line, style="bold"))
