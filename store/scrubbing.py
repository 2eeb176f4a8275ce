"""Removes from Postgres' files what has been erased from its tables."""

from typing import Any

import psycopg
from psycopg import sql

# Those that hold something of a person.
TABLES = ("images", "faces", "subjects", "changes", "users", "identities")


def scrub(connection: psycopg.Connection[Any]) -> bool:
    """Writes each table anew, without what has gone; readers and writers of a table wait meanwhile.

    A row that is deleted stays in its file until another one happens to take its place: a plain VACUUM only
    says that one may. Returns whether the write-ahead log could be left behind too, which only a superuser
    may; its old files are removed then, unless Postgres recycles or archives them.
    """
    vectors = connection.execute("SELECT vectors_of(id) FROM galleries WHERE home <> 'memory'").fetchall()
    for table in (*TABLES, *(name for (name,) in vectors)):
        connection.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier(table)))
    (superuser,) = connection.execute(
        "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone() or (False,)
    if superuser:
        connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")
    return bool(superuser)
