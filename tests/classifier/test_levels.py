"""How similar a face has to be: by the gallery's own people, or by the model's while they are few."""

import asyncio
import threading
from uuid import UUID, uuid4

import numpy as np
import pytest

from classifier import levels as module
from classifier.faces import Model
from classifier.levels import LEAST, Basis, Level, Levels
from classifier.matrix import Matrix
from classifier.shelf import View
from classifier.tails import Tail, comparisons
from tests.classifier.people import filled, rows

MEASURED = Model("a model", 32, 150, 0.36, 20.0, Tail(0.91, 0.01, -0.1, 0.02))
UNMEASURED = MEASURED._replace(strangers=None)
GALLERY = uuid4()


def view(count: int) -> View:
    return View(filled(rows(count), range(count)), count, "a model")


async def level(levels: Levels, of: View, rate: float = 1e-3, model: Model = MEASURED) -> Level:
    return await levels.of(GALLERY, of, model, rate)


async def test_a_small_gallery_goes_by_the_model() -> None:
    one, more = await level(Levels(), view(10)), await level(Levels(), view(LEAST - 1))
    assert (one.basis, one.rate) == (Basis.MODEL, 1e-3)
    assert MEASURED.threshold < one.threshold < more.threshold
    assert one.as_similar(one.threshold) == pytest.approx(1e-3)


async def test_a_model_that_was_not_measured_has_its_operating_point_alone() -> None:
    found = await level(Levels(), view(10), model=UNMEASURED)
    assert found == Level(1 - 0.36**2 / 2, Basis.OPERATING_POINT)
    assert found.as_similar(0.9) is None
    assert (await level(Levels(), View(Matrix(), 0, None))).basis is Basis.MODEL


async def test_a_gallery_of_many_goes_by_its_own_people() -> None:
    levels, of = Levels(), view(400)
    found = await level(levels, of, 0.02, UNMEASURED)
    assert (found.basis, found.comparisons) == (Basis.GALLERY, comparisons(400, 400))
    strangers = rows(20_000, seed=9)
    best = np.array([hits[0].cosine for hits in of.matrix.search(strangers[:4000], 1, distinct=True)])
    assert 0.02 / 3 < (best >= found.threshold).mean() < 0.06
    assert (await level(levels, of, 0.001)).threshold > found.threshold


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The threads that looked at a gallery, one for each time."""
    threads: list[threading.Thread] = []
    look = module._look

    def watched(matrix: Matrix) -> Tail | None:
        threads.append(threading.current_thread())
        return look(matrix)

    monkeypatch.setattr(module, "_look", watched)
    return threads


async def test_a_gallery_is_looked_at_once_and_not_on_the_event_loop(
    looked: list[threading.Thread],
) -> None:
    levels, of = Levels(), view(300)
    found = await asyncio.gather(*(level(levels, of) for _ in range(5)))
    assert len({each.threshold for each in found}) == 1
    assert await level(levels, of) == found[0]
    assert len(looked) == 1
    assert looked[0] is not threading.main_thread()


async def test_a_gallery_that_has_changed_is_looked_at_again_meanwhile(
    looked: list[threading.Thread],
) -> None:
    levels, of = Levels(), view(300)
    first = await level(levels, of)
    filled(rows(20, seed=1), range(300, 320), of.matrix)
    # A twentieth more: the old tail, for the new size.
    grown = await level(levels, of._replace(revision=320))
    assert grown.tail == first.tail
    assert grown.threshold > first.threshold
    assert len(looked) == 1
    filled(rows(40, seed=2), range(320, 360), of.matrix)
    assert (await level(levels, of._replace(revision=360))).tail == first.tail
    while levels._fits:
        await asyncio.sleep(0.01)
    assert (await level(levels, of._replace(revision=360))).tail != first.tail
    assert len(looked) == 2


async def test_another_model_or_a_gallery_twice_as_large_waits_for_a_look() -> None:
    levels, of = Levels(), view(250)
    first = await level(levels, of)
    filled(rows(260, seed=3), range(250, 510), of.matrix)
    second = await level(levels, of._replace(revision=510))
    assert second.tail != first.tail
    assert (await level(levels, view(220)._replace(model="another"))).tail not in (first.tail, second.tail)


async def test_a_gallery_that_is_emptied_meanwhile_goes_by_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_look", lambda matrix: None)
    assert (await level(Levels(), view(300))).basis is Basis.MODEL


async def test_every_gallery_has_a_level_of_its_own() -> None:
    levels = Levels()
    wide = View(filled(rows(300, spread=0.9), range(300)), 300, "a model")
    one = await levels.of(UUID(int=1), view(300), MEASURED, 1e-3)
    other = await levels.of(UUID(int=2), wide, MEASURED, 1e-3)
    assert other.threshold < one.threshold
