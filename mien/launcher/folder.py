"""The data folder of a mesh: who holds it, and where the parts of a running mesh are."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import platformdirs


class FolderError(Exception):
    """The folder cannot be used. The message says why, and what to do."""


def default_folder() -> Path:
    return Path(platformdirs.user_data_dir("mien"))


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._state = self.path / "mesh.json"
        self._pack = self.path / "pack"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def gateway(self) -> Path:
        """Where Envoy's configuration is written."""
        return self.path / "envoy.json"

    @property
    def tls(self) -> Path:
        """The folder of the certificate that is made here."""
        return self.path / "tls"

    @property
    def pack(self) -> str | None:
        """The model pack that was chosen for this mesh: its name, or the path of its file."""
        try:
            return self._pack.read_text().strip() or None
        except FileNotFoundError:
            return None

    def choose(self, pack: str) -> None:
        """Remembers a model pack. Raises FolderError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            new = self._pack.with_suffix(".new")
            new.write_text(f"{pack}\n")
            new.rename(self._pack)
        except OSError as error:
            raise _unusable(self.path, error) from None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else holds the folder inside the block. Raises FolderError at once if somebody does."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("w")
        except OSError as error:
            raise _unusable(self.path, error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderError(f"{self.path} is held by {self._holder()}") from None
            self._state.unlink(missing_ok=True)  # of a holder that was killed
            yield

    @contextmanager
    def running(self, state: Mapping[str, Any]) -> Iterator[None]:
        """Others find the mesh by its state inside the block. The folder must be held."""
        told = {
            "pid": os.getpid(),
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            **state,
        }
        new = self._state.with_suffix(".new")
        new.touch(mode=0o600)  # it has the password of the database
        new.write_text(json.dumps(told, indent=2))
        new.rename(self._state)
        try:
            yield
        finally:
            self._state.unlink(missing_ok=True)

    def state(self) -> dict[str, Any] | None:
        """What the running mesh has told; None if none is running."""
        try:
            with (self.path / "lock").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return json.loads(self._state.read_text())  # type: ignore[no-any-return]
        except FileNotFoundError:
            pass
        return None

    def _holder(self) -> str:
        state = self.state()
        if state is None:
            return "another mien command; try again when it is done"
        return (
            f"a mesh on port {state['port']}, process {state['pid']}, since {state['since']}; "
            "stop that one, or name another folder with --data"
        )


def _unusable(path: Path, error: OSError) -> FolderError:
    return FolderError(f"{path} cannot be used: {error.strerror}; name another with --data")
