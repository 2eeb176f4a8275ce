"""The embedder's own pipeline, in this process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from embedder.fetching.cache import default_cache
from embedder.metrics import Metrics
from embedder.networks import load
from embedder.pack import read_pack
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.preparation import prepare
from embedder.settings import FLOAT32


@asynccontextmanager
async def open_pipeline(name: str = "open", precision: str = FLOAT32) -> AsyncIterator[Pipeline]:
    """A pipeline of a model pack that works inside the block."""
    pack = read_pack(name)
    threads = len(os.sched_getaffinity(0))
    networks = load(pack, prepare(pack, default_cache()), precision)
    metrics = Metrics(CollectorRegistry())
    pipeline = Pipeline(pack, networks, Pool(threads, 64, metrics), metrics, 50_000_000)
    working = asyncio.create_task(pipeline.work())
    try:
        await pipeline.warm_up()
        yield pipeline
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
