"""Whether Postgres can search vectors: the extension pgvector, made where it may be."""

import psycopg

from serving.faults import PgvectorMissing
from store.database import Connection

OLDEST = (0, 8)  # earlier ones cannot go on where an index gave too little


async def require_pgvector(connection: Connection) -> None:
    """Makes the extension if need be, on a connection that commits by itself. Raises PgvectorMissing."""
    cursor = await connection.execute(
        "SELECT default_version, installed_version FROM pg_available_extensions WHERE name = 'vector'"
    )
    found = await cursor.fetchone()
    if found is None:
        raise PgvectorMissing(
            "this Postgres has no pgvector: install it, version 0.8 or newer (the image pgvector/pgvector has"
            " it; Debian's package is postgresql-NN-pgvector)"
        )
    version = str(found[1] or found[0])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise PgvectorMissing(
            f"pgvector {version} is too old: install 0.8 or newer, and run ALTER EXTENSION vector UPDATE"
        )
    if found[1] is None:
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.errors.UniqueViolation:
            pass  # another classifier has made it in this very moment
        except psycopg.errors.InsufficientPrivilege:
            raise PgvectorMissing(
                "pgvector is installed, but not in this database: let a superuser run CREATE EXTENSION vector"
            ) from None
