"""Keys as replicas meet them: who opens a service now, what is left of their days, when they came last."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from store.database import Database
from store.keys import Limits

CHANNEL = "mien_keys"  # of NOTIFY, as the schema has it, of any change of keys; the payload is empty
Quota = Literal["requests", "images"]


class Caller(NamedTuple):
    """A key that opens a service, at a revision of all keys."""

    key_hash: bytes
    key_id: UUID
    service_id: UUID
    type: str  # of the service
    gallery_id: UUID | None  # of a recognition service
    scopes: Sequence[str]
    seconds_left: float | None  # until the key expires; None: never
    limits: Limits

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "all" in self.scopes


class Callers(NamedTuple):
    """What one snapshot has: the revision counts the changes of all keys, in the order of their commits."""

    revision: int
    callers: list[Caller]


class Taken(NamedTuple):
    """What was taken of a key's quota of the day, and the seconds until the next one begins."""

    amount: int
    seconds_left: float


async def find_caller(database: Database, key_hash: bytes, kind: str) -> Callers:
    """Whom a key with this hash lets in to services of this type: one, or none.

    One of another type, one that has expired and one that never was cannot be told apart, nor by the time
    it takes. Raises StoreUnavailable.
    """
    # The index finds a hash of what was sent: how far it agrees with another says nothing of the key.
    return await _read(database, "key_hash = %s AND type = %s", (key_hash, kind))


async def newest_callers(database: Database, most: int) -> Callers:
    """All, or so many whose keys were used or made last. Raises StoreUnavailable."""
    order = "true ORDER BY coalesce(last_used_at, keys.created_at) DESC LIMIT %s"
    return await _read(database, order, (most,))


async def revision_of_keys(database: Database) -> int:
    """Raises StoreUnavailable."""
    async with database.statement() as connection:
        row = await (await connection.execute("SELECT revision FROM key_feed")).fetchone()
    assert row
    return int(row[0])


async def take(database: Database, key_id: UUID, quota: Quota, wanted: int) -> Taken:
    """Takes so much of a key's quota of the day, or what is left. Raises StoreUnavailable."""
    async with database.transaction() as connection:
        cursor = await connection.execute(
            # A clock that was behind, or a transaction that has waited over midnight, begins no day again.
            f"SELECT greatest(day, today), CASE WHEN day >= today THEN {quota} ELSE 0 END, daily_{quota},"
            " extract(epoch FROM (greatest(day, today) + 1)::timestamp AT TIME ZONE 'UTC' - now())::float8"
            " FROM keys, (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS clock"
            " WHERE id = %s FOR NO KEY UPDATE OF keys",
            (key_id,),
        )
        row = await cursor.fetchone()
        if row is None:  # revoked a moment ago
            return Taken(0, 1.0)
        day, used, most, seconds_left = row
        amount = wanted if most is None else max(0, min(wanted, most - used))
        other = "images" if quota == "requests" else "requests"
        await connection.execute(
            f"UPDATE keys SET {quota} = %s, {other} = CASE WHEN day = %s THEN {other} ELSE 0 END, day = %s"
            " WHERE id = %s",
            (used + amount, day, day, key_id),
        )
    return Taken(amount, seconds_left)


async def note_uses(database: Database, ages: Mapping[UUID, float]) -> None:
    """Writes down when keys were used last: so many seconds ago. Raises StoreUnavailable."""
    async with database.statement() as connection:
        await connection.execute(
            """
            WITH used AS (
                SELECT keys.id, now() - make_interval(secs => age) AS at
                FROM keys JOIN unnest(%s::uuid[], %s::float8[]) AS noted (id, age) ON keys.id = noted.id
                ORDER BY keys.id FOR NO KEY UPDATE OF keys
            )
            UPDATE keys SET last_used_at = greatest(last_used_at, at) FROM used WHERE keys.id = used.id
            """,
            ([*ages], [*ages.values()]),
        )


async def _read(database: Database, which: str, values: tuple[object, ...]) -> Callers:
    async with database.statement() as connection:
        cursor = await connection.execute(
            # One statement, so one snapshot: keys and revision belong together.
            f"""
            SELECT revision, found.* FROM key_feed LEFT JOIN (
                SELECT key_hash, keys.id, keys.service_id, type, galleries.id, scopes,
                       extract(epoch FROM expires_at - now())::float8, {", ".join(Limits._fields)}
                FROM keys JOIN services ON services.id = keys.service_id
                LEFT JOIN galleries ON galleries.service_id = services.id
                WHERE now() < coalesce(expires_at, 'infinity') AND {which}
            ) AS found ON true
            """,
            values,
        )
        rows = await cursor.fetchall()
    return Callers(rows[0][0], [_caller(*row[1:]) for row in rows if row[1] is not None])


def _caller(*row: Any) -> Caller:
    return Caller._make((*row[:7], Limits._make(row[7:])))
