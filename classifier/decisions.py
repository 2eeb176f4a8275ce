"""Whether a face is that of an enrolled subject, or of nobody, or of one of two."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np

from classifier.assignment import assign
from classifier.doubts import Doubt
from classifier.faces import Model, distance
from classifier.levels import Level
from classifier.matrix import Hit

# One subject must have this many times the odds of the next, by the model's calibration, in which distance
# counts as evidence: docs/strangers.md says what was measured.
ODDS = 5.0


class Verdict(Enum):
    """As the contract's Verdict says."""

    MATCH = 1
    UNKNOWN = 2
    AMBIGUOUS = 3


class Decision(NamedTuple):
    verdict: Verdict
    level: Level  # by which it was decided
    hit: Hit | None = None  # the subject, unless it is unknown
    margin: float | None = None  # cosine, to the next one; None: there is none
    least_margin: float = 0.0  # cosine: with less it is ambiguous
    as_similar: float | None = None  # the share of strangers who would look as similar; None: nobody knows
    doubts: tuple[Doubt, ...] = ()


class _Claim(NamedTuple):
    """Whom a face is taken for, and what speaks against it."""

    hit: Hit
    others: list[float]  # cosines: of the face to subjects it could be as well, of other faces to this one
    lost: bool = False  # the subject is another face


def decide(found: Sequence[Sequence[Hit]], level: Level, model: Model, *, unique: bool) -> list[Decision]:
    """For each face of one photograph, by its most similar subjects, the best first; two of them at least.

    With `unique` nobody is there twice; then as many subjects as faces, and one more, are needed.
    """
    if unique:
        claims = _exclusive(found, level)
    else:
        claims = [_Claim(hits[0], [each.cosine for each in hits[1:2]]) if hits else None for hits in found]
    return [_decision(claim, level, model) for claim in claims]


def least_margin(cosine: float, model: Model, odds: float = ODDS) -> float:
    """How much less similar the next subject must be, so that its odds are 1 to `odds` beside this one's.

    By the model's calibration exp(2 * steepness * d) is what a subject farther by d has less in odds.
    """
    near, farther = distance(cosine), np.log(odds) / (2 * model.steepness)
    return float(farther * (near + farther / 2))


def _decision(claim: _Claim | None, level: Level, model: Model) -> Decision:
    if claim is None:
        return Decision(Verdict.UNKNOWN, level)
    hit, others, lost = claim
    similar = level.as_similar(hit.cosine)
    if hit.cosine < level.threshold:
        return Decision(Verdict.UNKNOWN, level, as_similar=similar)
    ahead = [other - hit.cosine if lost else hit.cosine - other for other in others]
    margin, least = max(0.0, min(ahead)) if ahead else None, least_margin(hit.cosine, model)
    if margin is not None and margin < least:
        return Decision(Verdict.AMBIGUOUS, level, hit, margin, least, similar)
    if lost:
        return Decision(Verdict.UNKNOWN, level, as_similar=similar)
    return Decision(Verdict.MATCH, level, hit, margin, least, similar)


def _exclusive(found: Sequence[Sequence[Hit]], level: Level) -> list[_Claim | None]:
    """The likeliest way to have nobody twice: of all faces together the odds are largest.

    The logarithm of the odds falls with distance, so it is the distance below the threshold's that adds up.
    """
    cosines = [{hit.subject: hit.cosine for hit in hits} for hits in found]
    likely = [{hit.subject: hit.cosine for hit in hits if hit.cosine >= level.threshold} for hits in found]
    subjects = sorted({subject for each in likely for subject in each})
    columns = {subject: column for column, subject in enumerate(subjects)}
    gains = np.zeros((len(found), len(subjects)))
    for face, each in enumerate(likely):
        for subject, cosine in each.items():
            gains[face, columns[subject]] = 1e-9 + distance(level.threshold) - distance(cosine)
    given = [None if column is None else subjects[column] for column in assign(gains)]
    return [_claim(face, found, cosines, given) for face in range(len(found))]


def _claim(
    face: int, found: Sequence[Sequence[Hit]], cosines: list[dict[str, float]], given: list[str | None]
) -> _Claim | None:
    hits, mine = found[face], given[face]
    if not hits:
        return None
    if mine is None:
        holders = [
            cosines[other][hits[0].subject] for other, its in enumerate(given) if its == hits[0].subject
        ]
        return _Claim(hits[0], holders, lost=bool(holders))
    hit = next(each for each in hits if each.subject == mine)
    free = [each.cosine for each in hits if each.subject not in given]
    rivals = [
        cosines[other][mine] for other in range(len(found)) if other != face and _wants(found[other], mine)
    ]
    return _Claim(hit, free + rivals)


def _wants(hits: Sequence[Hit], subject: str) -> bool:
    return bool(hits) and hits[0].subject == subject
