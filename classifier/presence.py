"""Tells Postgres that this replica is there, and which erasures are out of its memory."""

import asyncio
import socket
from contextlib import suppress
from uuid import uuid4

import psycopg

from classifier.galleries import Galleries
from serving.faults import Overloaded, StoreUnavailable
from store.receipts import Receipts

EVERY = 1.0  # seconds


class Presence:
    def __init__(self, receipts: Receipts, galleries: Galleries, listen: str) -> None:
        self._receipts = receipts
        self._galleries = galleries
        self._id = uuid4()
        self._name = f"{socket.gethostname()} {listen}"

    async def run(self) -> None:
        """Tells it every second until cancelled, and then that this replica is no more."""
        try:
            while True:
                # It is away for others too, who say so; or it waits for the schema.
                with suppress(StoreUnavailable, Overloaded, psycopg.Error):
                    await self._receipts.report(self._id, self._name, self._galleries.is_past)
                await asyncio.sleep(EVERY)
        finally:
            with suppress(StoreUnavailable, Overloaded, psycopg.Error):
                await self._receipts.sign_off(self._id)
