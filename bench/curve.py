"""How distance becomes similarity: the formula, and its two coefficients out of pairs of faces.

similarity = (tanh((threshold - d) * steepness) + 1) / 2, which is the logistic function of
2 * steepness * (threshold - d).
"""

import numpy as np

from bench.pairs import Kind, Numbers, Pairs, rate
from embedder.pack import Calibration

STEP = 0.005  # the threshold is a multiple of it
# What share of the pairs of two strangers may pass for one person, at similarity 0.5.
ALLOWED = {Kind.APART: 1 / 1000, Kind.TOGETHER: 1 / 20}
# Half of the evidence is genuine pairs, half of the impostors are strangers in one photograph.
SHARES = {Kind.GENUINE: 1 / 2, Kind.APART: 1 / 4, Kind.TOGETHER: 1 / 4}


def similarity(calibration: Calibration, distances: Numbers) -> Numbers:
    values: Numbers = (np.tanh((calibration.threshold - distances) * calibration.steepness) + 1) / 2
    return values


def distance(calibration: Calibration, at: float) -> float:
    """Where the similarity is `at`."""
    return calibration.threshold - float(np.arctanh(2 * at - 1)) / calibration.steepness


def asked_for(pairs: Pairs) -> Calibration:
    return Calibration(threshold(pairs), evidence(pairs)[1])


def threshold(pairs: Pairs) -> float:
    """The largest distance that keeps to what is allowed."""
    limits = [(pairs.of(kind), share) for kind, share in ALLOWED.items()]
    steps = 0
    while all(rate(each, (steps + 1) * STEP) <= share for each, share in limits):
        steps += 1
    return round(steps * STEP, 6)


def evidence(pairs: Pairs) -> tuple[float, float]:
    """By logistic regression: the distance that speaks neither for nor against, and the steepness.

    A hundredth nearer multiplies the odds of "the same person" by exp(0.02 * steepness).
    """
    parts = [(pairs.of(kind), share) for kind, share in SHARES.items()]
    weights = np.concatenate([share * each.weights / each.weights.sum() for each, share in parts])
    x = np.concatenate([each.distances for each, _ in parts])
    genuine = np.concatenate([each.kinds == Kind.GENUINE for each, _ in parts])
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.zeros(2)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -50, 50)))
        gradient = design.T @ (weights * (genuine - p))
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design
        beta += np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
    return float(-beta[0] / beta[1]), float(-beta[1] / 2)


def held_out(pairs: Pairs) -> dict[Kind, float]:
    """How often strangers match by a threshold that never saw them, one photograph after the other."""
    wrong: dict[Kind, list[float]] = {kind: [] for kind in ALLOWED}
    for owner in np.unique(pairs.owners):
        seen = (pairs.owners != owner).all(axis=1)
        limit = threshold(Pairs(*(column[seen] for column in pairs)))
        for kind, errors in wrong.items():
            errors.extend(Pairs(*(column[~seen] for column in pairs)).of(kind).errors(limit))
    return {kind: float(np.mean(errors)) for kind, errors in wrong.items()}
