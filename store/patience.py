"""How long Postgres is waited for by those who would take an older answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from serving.faults import StoreUnavailable

T = TypeVar("T")

SOON = 0.25  # seconds


async def soon(asking: Coroutine[Any, Any, T], hurry: bool) -> T:
    """What is asked of Postgres. In a hurry, raises StoreUnavailable if it takes longer than SOON.

    It is not cancelled then: to cancel a query at a server that is silent takes long by itself.
    """
    if not hurry:
        return await asking
    task = asyncio.create_task(asking)
    # Whoever asked may have gone when it fails.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({task}, timeout=SOON)
    if not task.done():
        raise StoreUnavailable("the database does not answer; try again with backoff")
    return task.result()
