"""Receipts of erasures: what went, and which replicas are past it."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from serving.faults import ReceiptNotFound
from store.database import Connection, Database

PATIENCE = 3.0  # seconds that replicas are waited for
LEASE = 10  # seconds after which a replica that is silent is not counted
ERASURES = ["face.erased", "faces.erased", "images.erased", "subject.erased", "gallery.cleared"]
_FORGOTTEN = "10 minutes"  # after which it is not told of either
_AGAIN = 0.1  # seconds


class Replica(NamedTuple):
    name: str
    seen_at: datetime
    live: bool
    passed_at: datetime | None  # None: it has not told that it is past the erasure


class Receipt(NamedTuple):
    id: UUID
    at: datetime
    details: dict[str, int]  # revision, subjects, faces, images
    replicas: list[Replica]

    @property
    def complete(self) -> bool:
        return all(each.passed_at for each in self.replicas if each.live)


class Receipts:
    """Each method raises StoreUnavailable when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, service_id: UUID, gallery_id: UUID, receipt_id: UUID) -> Receipt:
        """Asks every replica that runs, and waits for them, though not for long. Raises ReceiptNotFound."""
        deadline = time.monotonic() + PATIENCE
        async with self._database.transaction() as connection:
            at, details = await _event(connection, service_id, receipt_id)
            asked = (gallery_id, details["revision"])
            await connection.execute("DELETE FROM receipts WHERE asked_at < now() - interval '1 day'")
            await connection.execute(
                "INSERT INTO receipts (gallery_id, revision, replica_id) SELECT %s, %s, id FROM replicas"
                " ORDER BY id ON CONFLICT DO NOTHING",
                asked,
            )
        while True:
            async with self._database.transaction() as connection:
                receipt = Receipt(receipt_id, at, details, await _replicas(connection, *asked))
            if receipt.complete or time.monotonic() > deadline:
                return receipt
            await asyncio.sleep(_AGAIN)

    async def report(self, replica_id: UUID, name: str, is_past: Callable[[UUID, int], bool]) -> None:
        """Says that a replica is there, and of what it was asked since which galleries it is past."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO replicas (id, name) VALUES (%s, %s)"
                " ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()",
                (replica_id, name),
            )
            cursor = await connection.execute(
                "SELECT gallery_id, revision FROM receipts WHERE replica_id = %s AND passed_at IS NULL",
                (replica_id,),
            )
            for asked in await cursor.fetchall():
                if is_past(*asked):
                    await connection.execute(
                        "UPDATE receipts SET passed_at = clock_timestamp()"
                        " WHERE replica_id = %s AND gallery_id = %s AND revision = %s",
                        (replica_id, *asked),
                    )

    async def sign_off(self, replica_id: UUID) -> None:
        """The replica ends, and its memory with it. Forgets those, too, that ended without a word."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM replicas WHERE id = %s OR seen_at < now() - %s::interval",
                (replica_id, _FORGOTTEN),
            )


async def _event(connection: Connection, service_id: UUID, id_: UUID) -> tuple[datetime, dict[str, int]]:
    """When an erasure was, and its numbers, also while its event is not yet linked into the log."""
    cursor = await connection.execute(
        """
        SELECT at, details FROM (
            SELECT id, at, details, action, service_id FROM audit
            UNION ALL SELECT id, at, details, action, service_id FROM audit_inbox
        ) AS events
        WHERE id = %s AND service_id = %s AND action = ANY(%s)
        """,
        (id_, service_id, ERASURES),
    )
    row = await cursor.fetchone()
    if row is None:
        raise ReceiptNotFound(f"this service has no receipt {id_}", receipt_id=id_)
    return row[0], row[1]


async def _replicas(connection: Connection, gallery_id: UUID, revision: int) -> list[Replica]:
    cursor = connection.cursor(row_factory=class_row(Replica))
    await cursor.execute(
        "SELECT name, seen_at, seen_at > clock_timestamp() - make_interval(secs => %s) AS live, passed_at"
        " FROM replicas LEFT JOIN receipts ON replica_id = id AND gallery_id = %s AND revision = %s"
        " WHERE seen_at > clock_timestamp() - %s::interval ORDER BY name",
        (LEASE, gallery_id, revision, _FORGOTTEN),
    )
    return await cursor.fetchall()
