"""Clients with faces to embed, in a process of their own.

    python -m bench.crop_clients KIND ADDRESS CLIENTS CROPS SECONDS

Each sends its next message when the last one is answered. KIND is mien, mosec or litserve.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Awaitable, Callable

import grpc
import httpx
import numpy as np
import uvloop

from bench.results import percentile
from mien.v1 import embedder_pb2 as pb
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.limits import MAX_REQUEST
from serving.server import sizes

WARMING = 0.5  # seconds that do not count

Ask = Callable[[], Awaitable[object]]


async def stream(channel: grpc.aio.Channel, chips: bytes) -> Ask:
    call = EmbedderServiceStub(channel).Embed()
    request = pb.EmbedRequest(chips=chips)

    async def ask() -> None:
        await call.write(request)
        answer = await call.read()
        assert answer.embeddings, answer

    return ask


def posting(client: httpx.AsyncClient, kind: str, chip: bytes) -> Ask:
    """As users of either send an array: raw bytes, or base64 in JSON."""
    body = chip if kind == "mosec" else json.dumps({"chip": base64.b64encode(chip).decode()}).encode()
    path = "inference" if kind == "mosec" else "predict"

    async def ask() -> None:
        answer = await client.post(path, content=body, headers={"content-type": "application/json"})
        answer.raise_for_status()

    return ask


async def main(kind: str, address: str, clients: int, crops: int, seconds: float) -> None:
    chips = np.random.default_rng(0).integers(0, 256, (crops, 150, 150, 3), np.uint8).tobytes()
    if kind == "mien":
        async with grpc.aio.insecure_channel(address, sizes(MAX_REQUEST)) as channel:
            await measured([await stream(channel, chips) for _ in range(clients)], crops, seconds)
    else:
        async with httpx.AsyncClient(base_url=address, timeout=60, limits=httpx.Limits()) as client:
            await measured([posting(client, kind, chips)] * clients, crops, seconds)


async def measured(asks: list[Ask], crops: int, seconds: float) -> None:
    began = time.perf_counter()
    took: list[float] = []
    every = 0

    async def go_on(ask: Ask) -> None:
        nonlocal every
        while (sent := time.perf_counter()) < began + WARMING + seconds:
            await ask()
            every += crops
            if began + WARMING < (answered := time.perf_counter()) < began + WARMING + seconds:
                took.append(answered - sent)

    await asyncio.gather(*(go_on(ask) for ask in asks))
    took.sort()
    told = {"faces": len(took) * crops, "seconds": seconds, "all": every}
    print(json.dumps({**told, "p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}))


if __name__ == "__main__":
    kind, address, *numbers = sys.argv[1:]
    uvloop.run(main(kind, address, int(numbers[0]), int(numbers[1]), float(numbers[2])))
