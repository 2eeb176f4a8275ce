"""How often services are asked to detect, verify or recognise: counted here, told to Postgres in batches."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import grpc

from classifier.keys import service
from serving.faults import Overloaded, StoreUnavailable
from serving.guard import Context, ServerInterceptor, guarded
from store.database import Database
from store.requests import add_requests

log = logging.getLogger(__name__)

PAUSE = 5.0  # seconds between two batches
LAST = 1.0  # seconds that the last one may take, when the process is told to stop

_COMPREFACE = "/mien.rest.v1.CompreFaceService/"
_VERBS = ("Detect", "Verify", "Recognize")  # that the names of its methods which count begin with


class Requests(ServerInterceptor):
    """Comes after the keys: a call that was let in counts, whatever becomes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: Counter[tuple[UUID, date]] = Counter()

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(details)
        if handler is None or not _counts(details.method):
            return handler
        return guarded(handler, lambda context, _: self._count(context))

    async def run(self) -> None:
        """Tells what was counted, and when it is cancelled, the rest."""
        try:
            while True:
                await asyncio.sleep(PAUSE)
                await self._tell()
        finally:
            try:
                async with asyncio.timeout(LAST):
                    await self._tell()
            except TimeoutError:
                pass
            if self._counted:
                log.warning("%d requests are missing in statistics", self._counted.total())

    @asynccontextmanager
    async def _count(self, _: Context) -> AsyncIterator[None]:
        self._counted[service(), datetime.now(UTC).date()] += 1
        yield

    async def _tell(self) -> None:
        """Keeps what Postgres did not take, for the next time."""
        if not self._counted:
            return
        counted, self._counted = self._counted, Counter()
        try:
            async with self._database.transaction() as connection:
                await add_requests(connection, counted)
        except (StoreUnavailable, Overloaded, asyncio.CancelledError) as error:
            self._counted.update(counted)
            if isinstance(error, asyncio.CancelledError):
                raise


def _counts(method: str) -> bool:
    return method.startswith(("/mien.v1.RecognitionService/", *(_COMPREFACE + verb for verb in _VERBS)))
