"""How quickly a gallery of a million faces is searched: python -m bench.galleries [FACES]

The limit of one probe is the time that one core takes to read the matrix once; that of sixteen, what one core
multiplies at its best. Beside them faiss.knn on one array, faiss's own index, and what it costs to pick the
ten best of a million scores. All of it is measured in turns, on one thread.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

import faiss
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from bench.results import write
from bench.synthetic import faces, people, probes
from classifier.blocks import Floats
from classifier.matrix import Matrix
from store.loading import Faces

MILLION = 1_000_000
DIMENSIONS = (128, 512)
ROUNDS = 7
SQUARE = 1024  # side of the matrices whose product shows what a core can multiply
MANY = 16  # probes
CHANGES = 2000

READ = "limit: to read the matrix once"
MULTIPLY = "limit: to multiply it with 16 probes"

Call = Callable[[], object]


def calls(matrix: Matrix, array: Floats) -> dict[str, tuple[Call, str]]:
    """What is measured, and beside which limit."""
    index = faiss.IndexFlatIP(array.shape[1])
    index.add(array)
    asked = probes(MANY, array.shape[1])
    one = asked[:1]
    scores = array @ one[0]
    square = np.ones((SQUARE, SQUARE), np.float32)
    faiss.omp_set_num_threads(1)
    return {
        READ: (lambda: np.maximum.reduce(array.reshape(-1)), READ),
        "faiss.knn, the best row": (lambda: faiss.knn(one, array, 1, faiss.METRIC_INNER_PRODUCT), READ),
        "faiss IndexFlatIP, the best row": (lambda: index.search(one, 1), READ),
        "mien, the best subject": (lambda: matrix.search(one, 1, distinct=True), READ),
        "mien, the best 10 subjects": (lambda: matrix.search(one, 10, distinct=True), READ),
        "10 best of ready scores, by argpartition": (lambda: np.argpartition(scores, -10)[-10:], READ),
        MULTIPLY: (lambda: square @ square, MULTIPLY),
        "NumPy, the product alone": (lambda: array @ asked.T, MULTIPLY),
        "faiss IndexFlatIP, 16 probes": (lambda: index.search(asked, 10), MULTIPLY),
        "mien, 16 probes, the best 10 subjects": (lambda: matrix.search(asked, 10, distinct=True), MULTIPLY),
    }


def measure(count: int, dimension: int, console: Console) -> list[dict[str, str | float]]:
    process, matrix = psutil.Process(), Matrix()
    before, loading = process.memory_info().rss, 0.0
    for page in faces(count, dimension):
        began = time.perf_counter()
        matrix.add(page)
        loading += time.perf_counter() - began
    memory = (process.memory_info().rss - before) / count
    console.print(
        f"{count} x {dimension}: filled in {loading:.1f} s, {memory:.0f} bytes a face,"
        f" {memory / (1.3 * 4 * dimension + 64):.2f} of 1.3 x 4d + 64"
    )
    array = np.concatenate(list(people(count, dimension)))
    took: dict[str, list[float]] = {}
    everything = calls(matrix, array)
    for _ in range(ROUNDS):
        for name, (call, _) in everything.items():
            began = time.perf_counter()
            call()
            took.setdefault(name, []).append(time.perf_counter() - began)
    # From the product of squares to that of this matrix with 16 probes, at the same rate.
    took[MULTIPLY] = [each * count * dimension * MANY / SQUARE**3 for each in took[MULTIPLY]]
    table, rows = Table("what", "ms", "to its limit", title=f"{count} x {dimension}"), []
    for name, (_, limit) in everything.items():
        ratio = statistics.median(one / other for one, other in zip(took[name], took[limit], strict=True))
        milliseconds = 1e3 * statistics.median(took[name])
        table.add_row(name, f"{milliseconds:.2f}", f"{ratio:.2f}")
        rows.append({"what": name, "faces": count, "d": dimension, "ms": milliseconds, "ratio": ratio})
    console.print(table)
    changes(matrix, dimension, console)
    return rows


def changes(matrix: Matrix, dimension: int, console: Console) -> None:
    """What a change costs while nobody searches."""
    record, name = 32 + 4 * dimension, "Person"
    new = [page.packed for page in faces(CHANGES, dimension, seed=9)]
    packed = [page[at : at + record] for page in new for at in range(0, len(page), record)]
    added = [Faces(each, dimension, {UUID(bytes=each[16:32]): name}) for each in packed]
    with matrix.at_once():
        erased = [
            UUID(bytes=id_.tobytes()) for ids, _, _ in matrix.slices() for id_ in ids[:: len(ids) // 99]
        ]
    for what, change, each_of in (
        ("added", matrix.add, added),
        ("erased", matrix.erase_face, erased),
    ):
        took = [_timed(partial(change, each)) for each in each_of]  # type: ignore[arg-type]
        console.print(
            f"a face is {what} in {1e6 * statistics.mean(took):.1f} us, in {1e3 * max(took):.2f} ms at most"
        )


def _timed(call: Call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(count: int = MILLION) -> None:
    console = Console(width=110)
    rows = [row for dimension in DIMENSIONS for row in measure(count, dimension, console)]
    console.print(f"wrote {write('galleries', rounds=ROUNDS, rows=rows)}")


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
