"""Verdicts, by cosines of which the answer is known."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pytest

from classifier.decisions import ODDS, Decision, Verdict, decide, least_margin
from classifier.doubts import Doubt, doubts
from classifier.faces import Box, Found, Model, Quality
from classifier.levels import Basis, Level
from classifier.matrix import Hit
from classifier.tails import Tail

MODEL = Model("a model", 128, 150, 0.36, 20.0)
LEVEL = Level(0.95, Basis.MODEL, 1e-3, Tail(0.91, 0.01, -0.1, 0.02), 10)
MATCH, UNKNOWN, AMBIGUOUS = Verdict.MATCH, Verdict.UNKNOWN, Verdict.AMBIGUOUS


def hits(**cosines: float) -> list[Hit]:
    """The subjects of a face by name, the most similar first."""
    ordered = sorted(cosines.items(), key=lambda each: -each[1])
    return [Hit(UUID(int=number), name, cosine) for number, (name, cosine) in enumerate(ordered)]


def told(decisions: list[Decision]) -> list[tuple[Verdict, str | None]]:
    return [(each.verdict, each.hit and each.hit.subject) for each in decisions]


@dataclass
class Case:
    faces: list[list[Hit]]
    alone: list[tuple[Verdict, str | None]]
    unique: list[tuple[Verdict, str | None]]


CASES = {
    "nobody is enrolled": Case([[]], [(UNKNOWN, None)], [(UNKNOWN, None)]),
    "one who is near enough": Case([hits(ada=0.97)], [(MATCH, "ada")], [(MATCH, "ada")]),
    "at the threshold": Case([hits(ada=0.95, ben=0.9)], [(MATCH, "ada")], [(MATCH, "ada")]),
    "a stranger": Case([hits(ada=0.949, ben=0.9)], [(UNKNOWN, None)], [(UNKNOWN, None)]),
    "two too close": Case([hits(ada=0.97, ben=0.965)], [(AMBIGUOUS, "ada")], [(AMBIGUOUS, "ada")]),
    "the other may be below the threshold": Case(
        [hits(ada=0.951, ben=0.949)], [(AMBIGUOUS, "ada")], [(AMBIGUOUS, "ada")]
    ),
    "a stranger like two is a stranger": Case(
        [hits(ada=0.94, ben=0.94)], [(UNKNOWN, None)], [(UNKNOWN, None)]
    ),
    "two faces for one subject: the nearer has it": Case(
        [hits(ada=0.955, ben=0.9), hits(ada=0.98, ben=0.9)],
        [(MATCH, "ada"), (MATCH, "ada")],
        [(UNKNOWN, None), (MATCH, "ada")],
    ),
    "the other has its second best": Case(
        [hits(ada=0.98, ben=0.96, cem=0.9), hits(ada=0.999, ben=0.9, cem=0.9)],
        [(MATCH, "ada"), (MATCH, "ada")],
        [(MATCH, "ben"), (MATCH, "ada")],
    ),
    "all together count, not who comes first": Case(
        [hits(ada=0.98, ben=0.975), hits(ada=0.97, ben=0.9)],
        [(AMBIGUOUS, "ada"), (MATCH, "ada")],
        [(MATCH, "ben"), (AMBIGUOUS, "ada")],
    ),
    "two faces too close for one subject": Case(
        [hits(ada=0.97), hits(ada=0.969)],
        [(MATCH, "ada"), (MATCH, "ada")],
        [(AMBIGUOUS, "ada"), (AMBIGUOUS, "ada")],
    ),
    "who is taken is no alternative": Case(
        [hits(ada=0.97, ben=0.965), hits(ben=0.995, ada=0.9)],
        [(AMBIGUOUS, "ada"), (MATCH, "ben")],
        [(MATCH, "ada"), (MATCH, "ben")],
    ),
    "no face, no decision": Case([], [], []),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdicts(case: Case) -> None:
    assert told(decide(case.faces, LEVEL, MODEL, unique=False)) == case.alone
    assert told(decide(case.faces, LEVEL, MODEL, unique=True)) == case.unique


def test_nobody_is_matched_twice_in_one_photograph() -> None:
    lot = np.random.default_rng(0)
    for _ in range(50):
        names = [f"subject {number}" for number in range(6)]
        faces = [hits(**dict(zip(names, lot.uniform(0.9, 1, 6).tolist(), strict=True))) for _ in range(5)]
        decided = decide(faces, LEVEL, MODEL, unique=True)
        matched = [each.hit.subject for each in decided if each.verdict is MATCH and each.hit]
        assert len(matched) == len(set(matched))


def test_the_margin_is_to_the_next_subject() -> None:
    (decision,) = decide([hits(ada=0.98, ben=0.95)], LEVEL, MODEL, unique=False)
    assert decision.margin == pytest.approx(0.03)
    assert decide([hits(ada=0.98)], LEVEL, MODEL, unique=False)[0].margin is None
    assert decide([hits(ada=0.9, ben=0.9)], LEVEL, MODEL, unique=False)[0].margin is None


@pytest.mark.parametrize("cosine", [0.5, 0.95, 0.99, 1.0])
def test_the_least_margin_is_odds_by_the_calibration(cosine: float) -> None:
    def odds(at: float) -> float:
        distance = np.sqrt(2 - 2 * at)
        return float(np.exp(2 * MODEL.steepness * (MODEL.threshold - distance)))

    assert odds(cosine) / odds(cosine - least_margin(cosine, MODEL)) == pytest.approx(ODDS)


def test_how_many_strangers_look_as_similar_is_told_of_everybody() -> None:
    near, far = decide([hits(ada=0.99), hits(ada=0.92)], LEVEL, MODEL, unique=True)
    assert near.as_similar is not None
    assert far.as_similar is not None
    assert near.as_similar < 1e-3 < far.as_similar
    blind = Level(0.95, Basis.OPERATING_POINT)
    assert decide([hits(ada=0.99)], blind, MODEL, unique=False)[0].as_similar is None


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        (Quality(1, 1, 1, 1, 1), ()),
        (Quality(0.4, 0.4, 1, 1, 1), (Doubt.BLURRED,)),
        (Quality(0.4, 1, 0.4, 0.6, 1), (Doubt.SMALL, Doubt.TURNED_AWAY)),
        (Quality(0.1, 1, 1, 0.71, 0.1), (Doubt.BADLY_LIT,)),
        (None, ()),
    ],
)
def test_doubts_are_what_is_bad_of_a_face(quality: Quality | None, expected: tuple[Doubt, ...]) -> None:
    found = Found(Box(0, 0, 9, 9), None, 0.9, np.empty(0, np.float32), quality=quality)
    assert doubts(found) == expected
