"""Where files of networks are published. Whatever is sent under a name, it counts only with its hash."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Archive(NamedTuple):
    """A file of a project of the package index."""

    project: str
    version: str
    file: str  # ends in .whl or .tar.gz
    sha256: str

    def __str__(self) -> str:
        return f"{self.project} {self.version}, of the package index"


class Download(NamedTuple):
    """A file on the web: a .zip, or what is wanted itself."""

    url: str
    sha256: str

    @property
    def file(self) -> str:
        return unquote(urlsplit(self.url).path).rpartition("/")[2]

    def __str__(self) -> str:
        return self.url


class Folder(NamedTuple):
    """A folder of the user's own. What is in it is used where it lies."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Source = Archive | Download | Folder


class Member(NamedTuple):
    """A file of a source."""

    path: str  # inside the archive; in an sdist, below its top folder
    sha256: str
