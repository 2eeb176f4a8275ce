"""Whether an embedder's memory stays what it is: python -m bench.endurance [MINUTES]

Photographs of several sizes and formats, crops by the stream, files that are none, and callers that give up,
all at once and for an hour. Resident memory is looked at twenty times.
"""

import asyncio
import random
import sys
import time
from io import BytesIO

import grpc
import numpy as np
import psutil
import uvloop
from PIL import Image
from rich.console import Console

from bench.crops import server
from bench.results import write
from embedder.fetching.cache import default_cache
from embedder.samples import photographs
from mien.launcher.mesh import free_port
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.limits import MAX_REQUEST
from serving.probe import is_serving
from serving.server import sizes

HOUR = 60.0  # minutes
LOOKS = 20
CALLERS = 6
OUTPUTS = [output for output in face_pb2.FaceOutput.values() if output]


def images() -> list[bytes]:
    """Photographs as people send them, and what is none."""
    files = []
    for name, path in photographs(default_cache()).items():
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for side, kind in ((300, "PNG"), (900, "JPEG"), (1600, "WEBP"), (3600, "JPEG")):
            scaled = image.resize((side, side * image.height // image.width))
            file = BytesIO()
            scaled.save(file, kind)
            files.append(file.getvalue())
        files.append(path.read_bytes()[: 2000 + len(name)])
    return files


async def analyze(stub: EmbedderServiceStub, files: list[bytes], end: float) -> None:
    lot = random.Random(1)
    while time.monotonic() < end:
        patience = lot.choice([0.05, 30, 30, 30])
        request = pb.AnalyzeRequest(image=lot.choice(files), outputs=lot.sample(OUTPUTS, 2))
        try:
            await stub.Analyze(request, timeout=patience)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
                raise


async def embed(stub: EmbedderServiceStub, end: float) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (8, 150, 150, 3), np.uint8).tobytes()
    while time.monotonic() < end:
        call = stub.Embed()
        for number in range(20):
            await call.write(pb.EmbedRequest(id=number, chips=crops))
            if number % 4 == 3:
                await call.read()
        call.cancel()  # with answers that nobody has fetched


async def measure(address: str, process: psutil.Process, minutes: float, console: Console) -> None:
    end = time.monotonic() + 60 * minutes
    files = images()
    seen: list[float] = []

    async def look() -> None:
        for turn in range(LOOKS):
            await asyncio.sleep(60 * minutes / (LOOKS + 1))
            seen.append(process.memory_info().rss / (1 << 20))
            console.print(f"{(turn + 1) * minutes / (LOOKS + 1):6.1f} min {seen[-1]:8.1f} MiB")

    async with grpc.aio.insecure_channel(address, sizes(MAX_REQUEST)) as channel:
        stub = EmbedderServiceStub(channel)
        await asyncio.gather(look(), embed(stub, end), *(analyze(stub, files, end) for _ in range(CALLERS)))
    early, late = np.median(seen[LOOKS // 4 : LOOKS // 2]), np.median(seen[-LOOKS // 4 :])
    console.print(f"the last quarter is {late / early:.3f} of the second")
    console.print(f"wrote {write('endurance', minutes=minutes, rows=seen, drift=late / early)}")


def main(minutes: float) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "embedder"]
    with server(command, lambda: is_serving(address), EMBEDDER_LISTEN=address) as process:
        uvloop.run(measure(address, process, minutes, Console()))


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else HOUR)
