"""The embedder's own pipeline, in this process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from embedder.__main__ import DETECTORS
from embedder.fetching.cache import default_cache
from embedder.pack import read_pack
from embedder.pipeline import Pipeline
from embedder.pool import Pool
from embedder.preparation import prepare
from embedder.recogniser import Recogniser


@asynccontextmanager
async def open_pipeline(name: str = "open") -> AsyncIterator[Pipeline]:
    """A pipeline of a model pack that works inside the block."""
    pack = read_pack(name)
    networks = prepare(pack, default_cache())
    detector = DETECTORS[pack.detection.kind](networks[pack.detection.kind])
    threads = len(os.sched_getaffinity(0))
    embed = Recogniser(networks["recogniser"]).embed
    pipeline = Pipeline(pack, detector, embed, Pool(threads, 64), 50_000_000)
    working = asyncio.create_task(pipeline.work())
    try:
        await pipeline.warm_up()
        yield pipeline
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
