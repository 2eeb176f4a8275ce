"""How long it takes from a file to what the detector sees, and to an answer: python -m bench.decoding

The limits are libjpeg-turbo, decoding all pixels, with one step that averages squares of whole pixels, as the
least that a detector needs of them; and for an answer libjpeg-turbo, decoding all pixels, and each network
alone, on what an analysis gives them: all else is ours, the points that faces are aligned by as well. The
peers do the same as their users do. All of it is measured in turns; ratios are medians over rounds.
"""

import asyncio
import io
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import cv2
import grpc
import numpy as np
import simplejpeg
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table

from bench.crops import server
from bench.forms import fixed
from bench.pipeline import open_pipeline
from bench.results import write
from embedder.detector import SIDE, Pixels, to_canvas
from embedder.fetching.cache import default_cache
from embedder.images import decode
from embedder.samples import photographs
from embedder.session import Session
from embedder.steps import timed
from mien.launcher.mesh import free_ports
from mien.v1 import embedder_pb2, face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.probe import is_serving

ROUNDS = 15
CALLS = 5  # of each in a row in each round, of which the median counts
MAX_PIXELS = 50_000_000
LARGE = (4000, 3000)  # pixels: 12 megapixels
PORTRAIT = (1110, 1802)  # 2 megapixels

Call = Callable[[], object]


def sample(name: str) -> Image.Image:
    with Image.open(photographs(default_cache())[name]) as file:
        return file.convert("RGB")


def large() -> Image.Image:
    """The samples beside and above each other, in the sizes that they have."""
    images = [sample(name) for name in ("obama", "biden", "obama2", "obama3", "obama_partial_face")]
    sheet = Image.new("RGB", LARGE)
    for row in range(0, LARGE[1], 1000):
        column = 0
        while column < LARGE[0]:
            image = images[(row // 1000 + column) % len(images)]
            sheet.paste(image.crop((0, 0, image.width, 1000)), (column, row))
            column += image.width
    return sheet


def saved(image: Image.Image, orientation: int = 1, **how: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, exif=exif, **how)
    return file.getvalue()


def limit(data: bytes) -> Pixels:
    pixels = simplejpeg.decode_jpeg(data)
    cell = max(LARGE) // SIDE
    rows, columns = (side // cell for side in pixels.shape[:2])
    whole = pixels[: rows * cell, : columns * cell]
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def ours(data: bytes) -> Pixels:
    return to_canvas(decode(data, MAX_PIXELS, SIDE).pixels).pixels


def opencv(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(pixels, small(pixels.shape[1::-1]), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as file:
        upright = ImageOps.exif_transpose(file)
        return np.asarray(upright.resize(small(upright.size), Image.Resampling.BOX))


def small(size: tuple[int, ...]) -> tuple[int, int]:
    width, height = (round(side * SIDE / max(size)) for side in size)
    return width, height


def files() -> dict[str, Call]:
    image = large()
    upright, turned = saved(image), saved(image, orientation=6)
    progressive = saved(image, progressive=True)

    return {
        "limit: 12 MP": partial(limit, upright),
        "mien: 12 MP": partial(ours, upright),
        "mien: 12 MP, turned by EXIF": partial(ours, turned),
        "OpenCV: 12 MP": partial(opencv, upright),
        "OpenCV: 12 MP, turned by EXIF": partial(opencv, turned),
        "Pillow: 12 MP": partial(pillow, upright),
        "limit: 12 MP, progressive": partial(limit, progressive),
        "mien: 12 MP, progressive": partial(ours, progressive),
    }


async def runs(data: bytes) -> list[Call]:
    """What an analysis has its networks do, each run with what it was given."""
    made: list[Call] = []
    run = Session.run

    def noted(session: Session, images: np.ndarray) -> list[np.ndarray]:
        made.append(partial(run, session, images.copy()))
        return run(session, images)

    async with open_pipeline(precision=fixed()) as pipeline:
        with patch.object(Session, "run", noted):
            await pipeline.analyze(data, embeddings=True)
    return made


@contextmanager
def answers() -> Iterator[dict[str, Call]]:
    data = saved(sample("obama3").resize(PORTRAIT))
    request = embedder_pb2.AnalyzeRequest(image=data, outputs=[face_pb2.FACE_OUTPUT_EMBEDDING])
    networks = asyncio.run(runs(data))

    def bare() -> None:
        simplejpeg.decode_jpeg(data)
        for run in networks:
            run()

    def asked() -> None:
        (face,) = stub.Analyze(request).faces
        assert face.embedding

    address = f"127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-m", "embedder"]
    with (
        server(command, lambda: is_serving(address), EMBEDDER_LISTEN=address),
        grpc.insecure_channel(address) as channel,
    ):
        stub = EmbedderServiceStub(channel)
        yield {"limit: Analyze, 2 MP, one caller": bare, "mien: Analyze, 2 MP, one caller": asked}


def main() -> None:
    cv2.setNumThreads(1)
    with answers() as analyses:
        calls = files() | analyses
        took: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                took[name].append(statistics.median(timed(call)[1] for _ in range(CALLS)))
    table = Table("what", "ms", "to its limit")
    rows = {}
    for name, seconds in took.items():
        ratio = statistics.median(
            one / other for one, other in zip(seconds, took[limit_of(name)], strict=True)
        )
        rows[name] = {"ms": 1e3 * statistics.median(seconds), "ratio": ratio}
        table.add_row(name, f"{rows[name]['ms']:.1f}", f"{ratio:.2f}")
    console = Console()
    console.print(table)
    console.print(f"wrote {write('decoding', rounds=ROUNDS, rows=rows)}")


def limit_of(name: str) -> str:
    """The limit of the same work, on the same file if it were not turned."""
    _, what = name.removesuffix(", turned by EXIF").split(": ")
    return f"limit: {what}"


if __name__ == "__main__":
    main()
