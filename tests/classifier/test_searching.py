"""Searches that come at the same time are made together, and answered as if they were alone."""

import asyncio
import threading
from uuid import uuid4

import numpy as np
import pytest

from classifier import searching
from classifier.matrix import Floats, Hit, Matrix
from classifier.searching import Searches
from serving.faults import Overloaded
from store.loading import Faces


class Watched(Matrix):
    """Says how many probes came together, and waits for a word before it looks."""

    def __init__(self) -> None:
        super().__init__()
        self.together: list[int] = []
        self.go = threading.Semaphore(0)

    def search(self, probes: Floats, count: int, *, distinct: bool) -> list[list[Hit]]:
        self.together.append(len(probes))
        assert self.go.acquire(timeout=10)
        return super().search(probes, count, distinct=distinct)


def unit(count: int, seed: int = 0) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((count, 8), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def matrix() -> Watched:
    subjects = [uuid4() for _ in range(20)]
    packed = b"".join(
        uuid4().bytes + subjects[n % 20].bytes + row.tobytes() for n, row in enumerate(unit(100))
    )
    matrix = Watched()
    matrix.add(Faces(packed, 8, {each: str(each) for each in subjects}))
    return matrix


def ask(searches: Searches, matrix: Matrix, *probes: Floats) -> list[asyncio.Task[list[list[Hit]]]]:
    return [asyncio.create_task(searches.search(matrix, list(each), 1, distinct=True)) for each in probes]


async def until_looking(matrix: Watched) -> None:
    async with asyncio.timeout(5):
        while not matrix.together:
            await asyncio.sleep(0.005)


async def until_waiting(searches: Searches, matrix: Matrix, count: int) -> None:
    async with asyncio.timeout(5):
        while len(searches._waiting.get(matrix, [])) != count:
            await asyncio.sleep(0.005)


async def test_what_has_come_meanwhile_is_searched_for_together(matrix: Watched) -> None:
    searches = Searches()
    probes = unit(12, 1)
    asked = [(list(probes[:1]), 3, True), (list(probes[1:4]), 2, True), (list(probes[4:6]), 5, True)]
    asked += [(list(probes[6:8]), 4, False), (list(probes[8:]), 1, True)]
    calls = []
    for some, count, distinct in asked:
        calls.append(asyncio.create_task(searches.search(matrix, some, count, distinct=distinct)))
        await until_looking(matrix)
    await until_waiting(searches, matrix, 4)
    matrix.go.release(3)
    answers = await asyncio.gather(*calls)
    assert matrix.together == [1, 3 + 2 + 4, 2]  # faces and subjects are not looked for in one search
    matrix.go.release(99)
    for (some, count, distinct), answer in zip(asked, answers, strict=True):
        assert answer == matrix.search(np.stack(some), count, distinct=distinct)
    assert not searches._waiting


async def test_who_has_gone_is_not_searched_for(matrix: Watched) -> None:
    searches = Searches()
    first = ask(searches, matrix, unit(1))
    await until_looking(matrix)
    stays, goes = ask(searches, matrix, unit(1), unit(2))
    await until_waiting(searches, matrix, 2)
    goes.cancel()
    await asyncio.sleep(0)
    matrix.go.release(2)
    await asyncio.gather(*first, stays)
    assert matrix.together == [1, 1]


async def test_a_search_that_fails_ends_no_other(matrix: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = Searches()
    matrix.go.release(9)
    with monkeypatch.context() as patch:
        patch.setattr(Matrix, "search", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await searches.search(matrix, list(unit(1)), 1, distinct=True)
    assert await searches.search(matrix, list(unit(1)), 1, distinct=True)
    assert await searches.search(matrix, [], 1, distinct=True) == []


async def test_too_many_are_refused_at_once(matrix: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "WAITING", 5)
    searches = Searches()
    calls = ask(searches, matrix, unit(2))
    await until_looking(matrix)
    calls += ask(searches, matrix, unit(2), unit(2))
    await until_waiting(searches, matrix, 2)
    with pytest.raises(Overloaded):
        await searches.search(matrix, list(unit(2)), 1, distinct=True)
    matrix.go.release(3)
    assert [len(each) for each in await asyncio.gather(*calls)] == [2, 2, 2]
