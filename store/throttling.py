"""Attempts, counted in Postgres: the same on every replica, and after every restart."""

import hashlib
from typing import NamedTuple

from serving.faults import TooManyAttempts
from store.database import Connection


class Limit(NamedTuple):
    """So many attempts of one account, or from one address, within a stretch of time."""

    what: str
    most: int
    seconds: int


async def count_attempt(connection: Connection, limit: Limit, of: str) -> None:
    """Counts one. The transaction must be committed before the attempt is made. Raises TooManyAttempts.

    The stretch begins with the first attempt, and the next one with the first after its end: to go on trying
    makes it no longer.
    """
    cursor = await connection.execute(
        """
        INSERT INTO attempts (what, of, count, expires_at)
        VALUES (%s, %s, 1, now() + make_interval(secs => %s))
        ON CONFLICT (what, of) DO UPDATE SET
            count = CASE WHEN attempts.expires_at > now() THEN least(attempts.count + 1, 1000000) ELSE 1 END,
            expires_at = CASE WHEN attempts.expires_at > now() THEN attempts.expires_at
                         ELSE excluded.expires_at END
        RETURNING count, extract(epoch FROM expires_at - now())::float
        """,
        (limit.what, _hashed(of), limit.seconds),
    )
    row = await cursor.fetchone()
    assert row
    if row[0] > limit.most:
        raise TooManyAttempts(
            f"too many attempts; try again in {max(1, round(row[1] / 60))} minutes", retry_after=row[1]
        )


async def forgive(connection: Connection, limit: Limit, of: str, *, all_of_them: bool) -> None:
    """Takes back one attempt that was none of a guesser's, or all of them."""
    if all_of_them:
        statement = "DELETE FROM attempts WHERE what = %s AND of = %s"
    else:
        statement = "UPDATE attempts SET count = greatest(count - 1, 0) WHERE what = %s AND of = %s"
    await connection.execute(statement, (limit.what, _hashed(of)))


def _hashed(of: str) -> bytes:
    return hashlib.sha256(of.encode()).digest()
