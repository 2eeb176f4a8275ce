"""What a calibration tells, as tables in a terminal."""

from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.curve import asked_for, distance, evidence, held_out, threshold
from bench.faces import Face
from bench.gallery import search
from bench.pairs import Kind, Pairs, interval, rate, spread
from embedder.pack import Calibration

SIMILARITIES = (0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
DLIB = 0.6  # the distance that dlib's author recommends, between vectors that are not yet of norm 1

console = Console(width=120)


def report_faces(faces: list[Face]) -> None:
    known = [face for face in faces if face.known]
    photographs, people = ({getattr(face, name) for face in faces} for name in ("photograph", "person"))
    console.print(
        f"{len(photographs)} photographs, {len(faces)} faces, {len(people)} people: "
        f"{len({face.person for face in known})} known with {len(known)} faces, the rest strangers"
    )


def report_fit(pairs: Pairs) -> None:
    """What the photographs ask for, and what they might have, had there been other people in them."""
    statistics: dict[str, Callable[[Pairs], float]] = {
        "threshold": threshold,
        "steepness": lambda each: evidence(each)[1],
        "even odds at": lambda each: evidence(each)[0],
    }
    table = Table("asked for", "", "95 %")
    for name, statistic in statistics.items():
        low, high = spread(pairs, statistic)
        table.add_row(name, f"{statistic(pairs):.4g}", f"{low:.3g} to {high:.3g}")
    console.print(table)
    asked, (even, _) = asked_for(pairs), evidence(pairs)
    odds = np.exp(2 * asked.steepness * (even - asked.threshold))
    console.print(f"the similarity is a probability where one pair in {1 + odds:.1f} is genuine")
    for kind, share in held_out(pairs).items():
        console.print(f"{kind.name} accepted by thresholds fitted without their photograph: {share:.2%}")


def report_errors(pairs: Pairs, calibration: Calibration, as_made: Pairs | None) -> None:
    """How often each similarity would err, in percent of the pairs of a kind, with 95 % intervals.

    `as_made` are the pairs by dlib's vectors before they are of norm 1; None: it is another network.
    """
    heads = (f"{kind.name} ({len(pairs.of(kind).kinds)})" for kind in Kind)
    table = Table("similarity", "distance", "cosine", *heads)
    for at in SIMILARITIES:
        limit = distance(calibration, at)
        table.add_row(f"{at}", f"{limit:.3f}", f"{1 - limit**2 / 2:.3f}", *_rates(pairs, limit))
    if as_made:
        table.add_row("dlib's", f"{DLIB}", "", *_rates(as_made, DLIB))
    console.print(table)


def report_search(faces: list[Face], calibration: Calibration) -> None:
    """Who is found in group photographs, at similarity 0.5."""
    found = search(faces)
    near = [each for each in found if each.distance <= calibration.threshold]
    right = sum(each.nearest == each.face.person for each in near)
    wrong = sum(each.enrolled and each.nearest != each.face.person for each in near)
    enrolled = sum(each.enrolled for each in found)
    console.print(f"enrolled people found in group photographs: {right} of {enrolled}, as another {wrong}")
    console.print(
        f"others taken for somebody enrolled: {len(near) - right - wrong} of {len(found) - enrolled}"
    )


def _rates(pairs: Pairs, limit: float) -> list[str]:
    cells = []
    for each in (pairs.of(kind) for kind in Kind):
        low, high = interval(each, limit)
        cells.append(f"{100 * rate(each, limit):.3g} ({100 * low:.3g} to {100 * high:.3g})")
    return cells
