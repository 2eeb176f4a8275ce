"""Brings the schema up to date: numbered SQL files, forward only, each in a transaction of its own."""

import hashlib
from importlib.resources import files

import psycopg

LOCK = 0x6D69656E  # of the advisory lock: "mien"


class MigrationError(Exception):
    """The database holds another history than the files tell. The message says which file."""


def migrate(database_url: str) -> list[str]:
    """Applies what is missing, and returns the names of those files. A second process waits its turn."""
    with psycopg.connect(database_url, autocommit=True, connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied: dict[str, str] = dict(connection.execute("SELECT name, sha256 FROM migrations").fetchall())
        return [name for name, sql in _files() if _apply(connection, name, sql, applied.get(name))]


def shipped() -> set[str]:
    """The names of all files: what a database must have had applied for this version to run."""
    return {name for name, _ in _files()}


def _files() -> list[tuple[str, str]]:
    folder = files("store") / "schema"
    paths = (path for path in folder.iterdir() if path.name.endswith(".sql"))
    return sorted((path.name, path.read_text("utf-8")) for path in paths)


def _apply(connection: psycopg.Connection, name: str, sql: str, applied: str | None) -> bool:
    sha256 = hashlib.sha256(sql.encode()).hexdigest()
    if applied == sha256:
        return False
    if applied:
        raise MigrationError(f"{name} was changed after it was applied; put it back, and add a new file")
    with connection.transaction():
        connection.execute(sql)
        connection.execute("INSERT INTO migrations (name, sha256) VALUES (%s, %s)", (name, sha256))
    return True
