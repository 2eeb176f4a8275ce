"""How often services were asked, by the day of UTC."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from store.database import Connection


class Requests(NamedTuple):
    day: date
    requests: int


async def add_requests(connection: Connection, counted: Mapping[tuple[UUID, date], int]) -> None:
    """Adds to what there is. Services that have gone are passed over."""
    rows = sorted(counted)  # in the same order everywhere, so that two replicas wait for each other in turn
    await connection.execute(
        """
        INSERT INTO requests (service_id, day, count)
        SELECT service_id, day, count
        FROM (SELECT id FROM services WHERE id = ANY(%(services)s) FOR KEY SHARE) AS there
        JOIN unnest(%(services)s::uuid[], %(days)s::date[], %(counts)s::bigint[])
            AS new (service_id, day, count) ON service_id = there.id
        ORDER BY service_id, day
        ON CONFLICT (service_id, day) DO UPDATE SET count = requests.count + excluded.count
        """,
        {
            "services": [service_id for service_id, _ in rows],
            "days": [day for _, day in rows],
            "counts": [counted[row] for row in rows],
        },
    )


async def requests_of(connection: Connection, service_id: UUID) -> list[Requests]:
    """Of the last six months, the newest day first."""
    cursor = connection.cursor(row_factory=class_row(Requests))
    await cursor.execute(
        "SELECT day, count AS requests FROM requests WHERE service_id = %s"
        " AND day > (now() AT TIME ZONE 'UTC')::date - interval '6 months' ORDER BY day DESC",
        (service_id,),
    )
    return await cursor.fetchall()
