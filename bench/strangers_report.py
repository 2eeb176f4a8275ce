"""What `python -m bench.strangers` prints."""

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.crowds import ENROLLED, STRANGERS, Crowd
from bench.faces import Face
from bench.genuine import sought
from bench.open_set import RATES, People, splits, spread
from bench.population import Population
from bench.report import console
from classifier.decisions import least_margin
from classifier.faces import Model
from classifier.tails import Tail, of_one

SPLITS = 3000  # of the strangers
GALLERIES = 40  # of the people whom the photographs know
ODDS = (2.0, 3.0, 5.0, 9.0)
FIXED = "fixed 0.5"  # CompreFace's: one similarity for every gallery


def report_thresholds(tail: Tail) -> None:
    table = Table("comparisons", *(f"cosine at {rate:g}" for rate in RATES))
    for count in (1, 10, 100, 1000):
        table.add_row(f"{count}", *(f"{tail.cosine(of_one(rate, count)):.3f}" for rate in RATES))
    console.print(table)


def report_splits(strangers: list[Face]) -> None:
    """The curve of half of the strangers, at galleries of a quarter, asked for the last quarter."""
    measured, deviation = splits(People.of(strangers), SPLITS, 0), spread(strangers, SPLITS // 10)
    table = Table("stated", "measured on other people", "95 %", title=f"{SPLITS} splits")
    for rate, each, wide in zip(RATES, measured, 1.96 * deviation, strict=True):
        table.add_row(f"{rate:g}", f"{each:.2g}", f"{max(0.0, each - wide):.2g} to {each + wide:.2g}")
    console.print(table)


def report_genuine(faces: list[Face], model: Model) -> None:
    """How many of the enrolled are found, with 95 % intervals by a bootstrap over people."""
    found = sought(faces, RATES, GALLERIES)
    fixed = np.full(len(found.who), 1 - model.threshold**2 / 2)
    people, owners, counts = np.unique(found.who, return_inverse=True, return_counts=True)
    drawn = np.random.default_rng(0).integers(len(people), size=(500, len(people)))
    table = Table("rate", "cosine", "found", "95 %", "as another", title=f"{len(people)} people")
    for name, limits in [*zip(map(str, RATES), found.threshold, strict=True), (FIXED, fixed)]:
        near = found.cosines >= limits
        hits = np.bincount(owners, near & found.right)
        low, high = np.quantile(hits[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
        share, wrong = hits.sum() / counts.sum(), (near & ~found.right).mean()
        row = f"{limits.mean():.3f}", f"{share:.0%}", f"{low:.0%} to {high:.0%}", f"{wrong:.1%}"
        table.add_row(name, *row)
    console.print(table)


def report_likeness(faces: list[Face]) -> None:
    """How like the people of the photographs those are who do not exist."""
    population = Population(faces, 0)
    people = population.people(1500)
    made, real = population.photographs(people) @ population.photographs(people).T, People.of(faces)
    cosines = real.rows @ real.rows.T
    same = real.who[:, None] == real.who
    upper = np.triu(np.ones_like(same), 1).astype(bool)
    shares = (0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
    table = Table("cosine at the quantile", *map(str, shares))
    for name, values in (
        ("one person, photographs", cosines[same & upper]),
        ("one person, made", np.diag(made)),
        ("two people, photographs", cosines[~same & upper]),
        ("two people, made", made[~np.eye(len(made), dtype=bool)]),
    ):
        table.add_row(name, *(f"{each:.3f}" for each in np.quantile(values, shares)))
    console.print(table)


def report_odds(faces: list[Face], model: Model) -> None:
    """Of those who are taken for another, and for themselves, how many the margin calls ambiguous."""
    population = Population(faces, 0)
    people = population.people(10_000)
    cosines = np.concatenate(
        [population.photographs(some) @ population.photographs(people).T for some in np.split(people, 10)]
    )
    right = cosines.argmax(1) == np.arange(len(people))
    next_, best = np.partition(cosines, -2, axis=1)[:, -2:].T
    near: NDArray[np.bool_] = best >= 1 - model.threshold**2 / 2
    table = Table("odds", "another", "themselves", title="ambiguous at 0.5, of 10000 people")
    for odds in ODDS:
        close = best - next_ < np.array([least_margin(float(each), model, odds) for each in best])
        kinds = near & ~right, near & right
        table.add_row(f"{odds:g}", *(f"{close[kind].mean():.0%} of {kind.sum()}" for kind in kinds))
    console.print(table)


def report_crowds(title: str, seen: list[Crowd]) -> None:
    columns = "stated", "measured", "least to most", "within 3", "ambiguous", "found", "as another"
    table = Table(*columns, title=f"{title}: {len(seen)} galleries, {STRANGERS} strangers, {ENROLLED} sought")
    stack = Crowd(*(np.array(column) for column in zip(*seen, strict=True)))
    for place, stated in enumerate([*map(str, RATES), FIXED]):
        rates = stack.strangers[:, place]
        within = "" if place == len(RATES) else f"{_within(rates, RATES[place])} of {len(rates)}"
        others = (each[:, place].mean() for each in (stack.ambiguous, stack.found, stack.misnamed))
        spread = f"{rates.min():.2g} to {rates.max():.2g}"
        table.add_row(stated, f"{rates.mean():.2g}", spread, within, *(f"{each:.2%}" for each in others))
    console.print(table)


def _within(rates: NDArray[np.float64], stated: float) -> int:
    return int(((rates > stated / 3) & (rates < stated * 3)).sum())
