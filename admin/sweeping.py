"""What has expired is removed, now and then."""

import asyncio
import logging

from serving.faults import Overloaded, StoreUnavailable
from store.database import Database
from store.sessions import sweep

log = logging.getLogger(__name__)

PAUSE = 600.0  # seconds


async def sweep_on(database: Database) -> None:
    """Goes on until it is cancelled."""
    while True:
        await asyncio.sleep(PAUSE)
        try:
            async with database.transaction() as connection:
                await sweep(connection)
        except (StoreUnavailable, Overloaded):
            log.warning("expired sessions stay a little longer: the database is away")
