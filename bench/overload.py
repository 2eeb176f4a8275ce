"""What an embedder does with three times as much as it can: python -m bench.overload

First as many callers as keep it busy, each waiting for its answer, show its peak. Then photographs come at
three times that rate, whether earlier ones are answered or not. What counts is how much of the peak is still
done, and how soon the others are told to come again.
"""

import asyncio
import statistics
import sys
import time
from typing import NamedTuple

import grpc
import uvloop
from rich.console import Console

from bench.crops import server
from bench.results import percentile, write
from embedder.fetching.cache import default_cache
from embedder.samples import photographs
from mien.launcher.mesh import free_port
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.probe import is_serving

SECONDS = 15.0  # of each
CALLERS = 16
TIMES = 3.0  # the peak


class Done(NamedTuple):
    began: float  # by the monotonic clock
    seconds: float
    refused: bool


class Photographs:
    """Calls Analyze with a photograph, and remembers how it went."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = EmbedderServiceStub(channel)
        image = photographs(default_cache())["obama"].read_bytes()
        self._request = pb.AnalyzeRequest(image=image, outputs=[face_pb2.FACE_OUTPUT_EMBEDDING])
        self.done: list[Done] = []

    async def send(self) -> None:
        began = time.monotonic()
        try:
            await self._stub.Analyze(self._request, timeout=30)
            refused = False
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            refused = True
        self.done.append(Done(began, time.monotonic() - began, refused))


async def peak(load: Photographs, seconds: float) -> float:
    """Photographs a second, of callers that wait for their answers."""
    end = time.monotonic() + seconds

    async def go_on() -> None:
        while time.monotonic() < end:
            await load.send()

    await asyncio.gather(*(go_on() for _ in range(CALLERS)))
    return _goodput(load.done, seconds)


async def flood(load: Photographs, rate: float, seconds: float) -> float:
    """Photographs a second that are still answered when so many come."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        sent = 0
        while (now := time.monotonic() - began) < seconds:
            while sent < now * rate:
                group.create_task(load.send())
                sent += 1
            await asyncio.sleep(0.005)
    return _goodput(load.done, seconds)


def _goodput(done: list[Done], seconds: float) -> float:
    first = min(each.began for each in done)
    return sum(not each.refused and each.began + each.seconds < first + seconds for each in done) / seconds


async def measure(address: str, console: Console) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        most = await peak(Photographs(channel), SECONDS)
        load = Photographs(channel)
        under_load = await flood(load, TIMES * most, SECONDS)
        again = await peak(Photographs(channel), SECONDS / 3)
    refused = sorted(each.seconds for each in load.done if each.refused)
    answered = sorted(each.seconds for each in load.done if not each.refused)
    told = {
        "photographs a second at the peak": most,
        f"at {TIMES:.0f} times as many": under_load,
        "of the peak": under_load / most,
        "afterwards": again / most,
        "refused": len(refused),
        "refused within, p50 ms": 1e3 * percentile(refused, 0.5),
        "p99 ms": 1e3 * percentile(refused, 0.99),
        "answered within, p50 ms": 1e3 * statistics.median(answered),
    }
    for name, value in told.items():
        console.print(f"{name:<36}{value:10.4g}")
    console.print(f"wrote {write('overload', rows=[told])}")


def main() -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "embedder"]
    with server(command, lambda: is_serving(address), EMBEDDER_LISTEN=address):
        uvloop.run(measure(address, Console()))


if __name__ == "__main__":
    main()
