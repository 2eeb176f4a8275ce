"""The same photographs through dlib, as face_recognition runs it, and through mien: python -m bench.peer

dlib finds faces by HOG, places five points and embeds, all in its own code (package dlib-bin, which is built
without BLAS: dlib.DLIB_USE_BLAS says so). One photograph at a time, one after the other, in turns.
"""

import asyncio
import statistics
import time
from pathlib import Path

import cv2
import dlib
import numpy as np
from rich.console import Console

from bench.pipeline import open_pipeline
from bench.results import write
from embedder.fetching.archives import fetch
from embedder.fetching.cache import default_cache
from embedder.fetching.sources import Member
from embedder.pack import read_pack
from embedder.samples import photographs
from embedder.settings import AUTO

ROUNDS = 5
POINTS = Member(
    "face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)


class Dlib:
    """dlib's own pipeline."""

    def __init__(self, network: Path, points: Path) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(points))
        self._recogniser = dlib.face_recognition_model_v1(str(network))

    def embed(self, file: bytes) -> list[np.ndarray]:
        """Unit embeddings of the faces of an image file, the largest first."""
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        boxes = sorted(self._detector(image, 1), key=lambda box: -box.area())
        rows = [
            np.array(self._recogniser.compute_face_descriptor(image, self._predictor(image, box)))
            for box in boxes
        ]
        return [row / np.linalg.norm(row) for row in rows]


async def main() -> None:
    console = Console()
    network = read_pack("open").networks["recogniser"]
    assert network.member
    files = fetch(network.archive, [network.member, POINTS], default_cache())
    peer = Dlib(*files)
    took: dict[str, list[float]] = {"mien": [], "dlib": []}
    cosines = []
    async with open_pipeline(precision=AUTO) as pipeline:
        for turn in range(ROUNDS):
            for path in photographs(default_cache()).values():
                file = path.read_bytes()
                began = time.perf_counter()
                ours = (await pipeline.analyze(file, embeddings=True)).embeddings
                between = time.perf_counter()
                theirs = peer.embed(file)
                took["mien"].append(between - began)
                took["dlib"].append(time.perf_counter() - between)
                if turn == 0 and theirs and ours:
                    cosines.append(float(ours[0] @ theirs[0]))
    ratios = [theirs / ours for ours, theirs in zip(took["mien"], took["dlib"], strict=True)]
    told = {
        "dlib": f"dlib-bin {dlib.__version__}, BLAS: {dlib.DLIB_USE_BLAS}, AVX: {dlib.USE_AVX_INSTRUCTIONS}",
        "mien, ms a photograph": 1e3 * statistics.median(took["mien"]),
        "dlib, ms a photograph": 1e3 * statistics.median(took["dlib"]),
        "times as fast": statistics.median(ratios),
        "cosine of their embeddings, mean": statistics.mean(cosines),
        "least": min(cosines),
        "faces": len(cosines),
    }
    for name, value in told.items():
        console.print(f"{name:<36}{value if isinstance(value, str) else round(value, 4)}")
    console.print(f"wrote {write('peer', rows=[told])}")


if __name__ == "__main__":
    asyncio.run(main())
