"""Connections to Postgres, and the one place where its absence becomes a fault."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from serving.faults import Overloaded, StoreUnavailable
from store.migrations import shipped

log = logging.getLogger(__name__)

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

CONNECTIONS = 8
WAITING = 256  # calls that may wait for a connection; one more is refused at once
PATIENCE = 3.0  # seconds a call waits for a connection

# A server that is gone must be noticed in seconds, also when its host is gone and says nothing.
_LIVELY = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}


class Database:
    """A bounded pool of connections. Use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = AsyncConnectionPool(
            url,
            kwargs=_LIVELY,
            min_size=1,
            max_size=CONNECTIONS,
            max_waiting=WAITING,
            timeout=PATIENCE,
            # A new series of attempts begins with the next call, so that the pauses stay short.
            reconnect_timeout=1,
            configure=_configure,
            reset=_reset,
            check=self._check,
            open=False,
        )

    async def __aenter__(self) -> "Database":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def migrated(self) -> None:
        """Returns once Postgres is there and has our schema; until then it says so in the log."""
        while True:
            try:
                async with self.transaction() as connection:
                    rows = await (await connection.execute("SELECT name FROM migrations")).fetchall()
                if shipped() <= {name for (name,) in rows}:
                    return
                log.warning("waiting for the newest schema: run `python -m store`")
            except (StoreUnavailable, Overloaded):
                log.warning("waiting for the database")
            except psycopg.errors.UndefinedTable:
                log.warning("waiting for the schema: run `python -m store`")
            await asyncio.sleep(1)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction, committed at the end of the block. Raises StoreUnavailable if Postgres is away."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except TooManyRequests as error:
            raise Overloaded("every connection to the database is taken; try again with backoff") from error
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise StoreUnavailable("the database cannot be reached; try again with backoff") from error

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """For one statement that commits by itself: two ways to the server less. Raises StoreUnavailable."""
        async with self.transaction() as connection:
            await connection.set_autocommit(True)
            yield connection

    async def listening(self) -> Connection:
        """A connection of its own, outside the pool, where every statement commits by itself."""
        return await psycopg.AsyncConnection.connect(self.url, autocommit=True, **_LIVELY)  # type: ignore[arg-type]

    async def _check(self, connection: Connection) -> None:
        """A connection that a restart of Postgres has broken is replaced before a call gets it."""
        try:
            await self._pool.check_connection(connection)
        except psycopg.Error:
            await self._pool.check()  # the others will be broken too: one call replaces them all
            raise


async def _reset(connection: Connection) -> None:
    await connection.set_autocommit(False)


async def _configure(connection: Connection) -> None:
    """Whoever is cut off in a transaction must not hold a gallery's lock for long."""
    await connection.execute("SET idle_in_transaction_session_timeout = '10s'")
    await connection.execute("SET lock_timeout = '10s'")
    await connection.commit()
