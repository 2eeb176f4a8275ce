"""CompreFace's own load test, in the form of its k6 scripts: python -m bench.load [SECONDS]

Eight connections, for a minute and without pause, each ask in turn: detect, recognize, verify two images,
verify an image with an enrolled face. CompreFace wants 99 of 100 answers within three seconds.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table

from bench.mesh import Running, running
from bench.results import percentile, write
from embedder.fetching.cache import default_cache
from embedder.samples import photographs

CONNECTIONS = 8
MINUTE = 60.0  # seconds
FORM = {"limit": "0", "prediction_count": "1"}  # parameters come as fields of the form


class Request(NamedTuple):
    kind: str
    path: str
    key: str
    images: dict[str, bytes]  # by the names of their parts
    form: dict[str, str]
    says: str  # a word of a good answer


class Answer(NamedTuple):
    kind: str
    seconds: float
    good: bool


def measure(mesh: Running, seconds: float = MINUTE) -> list[dict[str, Any]]:
    """A row for each kind of request, and one for all of them."""
    requests = _requests(mesh)
    with httpx.Client(base_url=f"http://{mesh.address}") as client:
        for request in requests:
            _ask(client, request)  # warm
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        going = [pool.submit(_go_on, mesh, requests, turn, began + seconds) for turn in range(CONNECTIONS)]
        answers = [answer for connection in going for answer in connection.result()]
    took = time.perf_counter() - began
    kinds = [*(request.kind for request in requests), "all"]
    return [_row(kind, [each for each in answers if kind in (each.kind, "all")], took) for kind in kinds]


def report(rows: list[dict[str, Any]], seconds: float, show: Callable[[object], object]) -> None:
    """Shows the rows, and writes them into bench/results."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    show(table)
    show(f"wrote {write('load', connections=CONNECTIONS, seconds=seconds, rows=rows)}")


def _requests(mesh: Running) -> list[Request]:
    photograph = photographs(default_cache())["obama"].read_bytes()
    recognition, face = mesh.key, _enrol(mesh, photograph)
    detection, verification = mesh.new_key("detection"), mesh.new_key("verification")
    one, two = {"file": photograph}, {"source_image": photograph, "target_image": photograph}
    verify_face = f"/recognition/faces/{face}/verify"
    return [
        Request("detect", "/detection/detect", detection, one, FORM, "probability"),
        Request("recognize", "/recognition/recognize", recognition, one, FORM, "similarity"),
        Request("verify", "/verification/verify", verification, two, {}, "similarity"),
        Request("verify a face", verify_face, recognition, one, {}, "similarity"),
    ]


def _enrol(mesh: Running, photograph: bytes) -> str:
    """The id of a face that is in the gallery now."""
    answer = httpx.post(
        f"http://{mesh.address}/api/v1/recognition/faces",
        params={"subject": "Barack Obama"},
        headers={"x-api-key": mesh.key},
        files={"file": ("file.jpg", photograph)},
        timeout=30,
    )
    return str(answer.raise_for_status().json()["image_id"])


def _go_on(mesh: Running, requests: list[Request], turn: int, end: float) -> list[Answer]:
    """What one connection is answered until the end; `turn` says which request is its first."""
    answers = []
    with httpx.Client(base_url=f"http://{mesh.address}") as client:
        for request in islice(cycle(requests), turn, None):
            if time.perf_counter() >= end:
                break
            began = time.perf_counter()
            good = _ask(client, request)
            answers.append(Answer(request.kind, time.perf_counter() - began, good))
    return answers


def _ask(client: httpx.Client, request: Request) -> bool:
    """Whether the answer is a good one."""
    try:
        answer = client.post(
            f"/api/v1{request.path}",
            headers={"x-api-key": request.key},
            files={part: (f"{part}.jpg", image, "image/jpeg") for part, image in request.images.items()},
            data=request.form,
            timeout=360,  # seconds, as there
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and request.says in answer.text


def _row(kind: str, answers: list[Answer], took: float) -> dict[str, Any]:
    """Rates and times are those of good answers, since an error may come quickly; None where none is good."""
    good = sorted(answer.seconds for answer in answers if answer.good)
    return {
        "kind": kind,
        "a second": len(good) / took,
        "p50 ms": 1e3 * percentile(good, 0.5) if good else None,
        "p99 ms": 1e3 * percentile(good, 0.99) if good else None,
        "errors": len(answers) - len(good),
    }


if __name__ == "__main__":
    length = float(sys.argv[1]) if sys.argv[1:] else MINUTE
    with running() as started:
        report(measure(started, length), length, Console().print)
