"""Measures a model pack's calibration: python -m bench.calibrate FOLDER

FOLDER holds `people/NAME/*`, photographs of one person each, and `groups/*.jpg`, with several persons in
each. The pack's threshold and steepness are fitted on one half of the people and of the groups, and tested
on the other half. Pairs of faces from within one photograph are the hardest impostors: same light, often
same age and sex.
"""

import asyncio
import sys
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from bench.pipeline import open_pipeline
from embedder.pipeline import Pipeline

Distances = NDArray[np.float64]

COLLAGES = {"bald_guys.jpg"}  # shows the same people several times: its pairs are no impostors


class Pairs(NamedTuple):
    """Euclidean distances of unit embeddings."""

    genuine: Distances  # same person, different photographs
    impostor: Distances  # different people, different photographs
    within: Distances  # different people, one photograph


async def embed(pipeline: Pipeline, paths: list[Path]) -> list[NDArray[np.float32]]:
    """For each photograph the (n, dimension) embeddings of its faces."""
    embeddings = []
    for path in track(paths, f"{paths[0].parent.name} and so on", transient=True):
        analysis = await pipeline.analyze(path.read_bytes(), embeddings=True)
        embeddings.append(np.array(analysis.embeddings, np.float32).reshape(-1, pipeline.pack.dimension))
    return embeddings


def distances(one: NDArray[np.float32], other: NDArray[np.float32]) -> Distances:
    return np.sqrt(np.maximum(0, 2 - 2 * (one @ other.T).astype(np.float64)))


async def measure(pipeline: Pipeline, folder: Path, half: int) -> Pairs:
    names = sorted(path for path in (folder / "people").iterdir())[half::2]
    people = [np.concatenate(await embed(pipeline, sorted(name.iterdir()))) for name in names]
    photographs = sorted(path for path in (folder / "groups").glob("*.jpg") if path.name not in COLLAGES)
    groups = await embed(pipeline, photographs[half::2])
    return Pairs(
        np.concatenate([distances(each, each)[np.triu_indices(len(each), 1)] for each in people]),
        np.concatenate([distances(one, other).ravel() for one, other in combinations(people, 2)]),
        np.concatenate([distances(each, each)[np.triu_indices(len(each), 1)] for each in groups]),
    )


def fit(pairs: Pairs) -> tuple[float, float]:
    """Threshold and steepness by logistic regression, genuine and impostor pairs of equal weight.

    similarity = (tanh((threshold - d) * steepness) + 1) / 2 is the logistic function of
    2 * steepness * (threshold - d). Half of the impostors' weight is that of pairs within a photograph.
    """
    x = np.concatenate(pairs)
    y = np.repeat([1.0, 0.0, 0.0], [len(each) for each in pairs])
    weight = np.repeat([0.5, 0.25, 0.25], [len(each) for each in pairs]) / np.repeat(
        [len(each) for each in pairs], [len(each) for each in pairs]
    )
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.zeros(2)
    for _ in range(100):  # Newton's method
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (y - p))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return float(-beta[0] / beta[1]), float(-beta[1] / 2)


async def main(folder: Path, name: str) -> None:
    async with open_pipeline(name) as pipeline:
        halves = [await measure(pipeline, folder, half) for half in (0, 1)]
    for fitted, tested in (halves, halves[::-1]):
        threshold, steepness = fit(fitted)
        print(
            f"fitted on one half: threshold = {threshold:.4f}, steepness = {steepness:.2f}; on the other half"
        )
        report(tested, threshold)
    everything = Pairs(*(np.concatenate(both) for both in zip(*halves, strict=True)))
    threshold, steepness = fit(everything)
    print(f"fitted on all: threshold = {threshold:.4f}, steepness = {steepness:.2f}; on the same")
    report(everything, threshold)


def report(pairs: Pairs, threshold: float) -> None:
    print(f"  genuine pairs refused      {(pairs.genuine > threshold).mean():8.4f} of {len(pairs.genuine)}")
    print(
        f"  impostor pairs accepted    {(pairs.impostor <= threshold).mean():8.4f} of {len(pairs.impostor)}"
    )
    print(f"  ... within one photograph  {(pairs.within <= threshold).mean():8.4f} of {len(pairs.within)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), "open"))
