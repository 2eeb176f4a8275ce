"""What a gallery says of strangers: how similar its own people are to the most similar other one."""

from itertools import count, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifier.blocks import Floats
from classifier.matrix import Matrix
from classifier.tails import comparisons

Numbers = NDArray[np.int32]

SAMPLE = 32_768  # faces of a larger gallery that are looked at
PLAYERS = 2_048  # of those, how many play strangers: 67 million comparisons at most, a few seconds
FEWEST = 10  # subjects
_TOGETHER = 64  # players multiplied at once: 8 MB of similarities


class Evidence(NamedTuple):
    largest: NDArray[np.float64]  # (n,): of each player, the cosine to the most similar face of anybody else
    comparisons: float  # as how many each of them counts, see classifier.tails


def evidence(matrix: Matrix) -> Evidence | None:
    """Each player is looked for among all but their own faces. The same for the same rows, every time.

    Takes a moment, in the calling thread; the matrix is held block after block, for the copy of the sample
    alone. None if it has fewer than `FEWEST` subjects by then.
    """
    rows, subjects = _sample(matrix)
    different = len(np.unique(subjects))
    if different < FEWEST:
        return None
    players = _players(subjects)
    largest = [
        np.where(subjects[some, None] == subjects, np.float32(-1), rows[some] @ rows.T).max(1)
        for some in np.array_split(players, -(-len(players) // _TOGETHER))
    ]
    return Evidence(np.concatenate(largest).astype(np.float64), comparisons(different, len(subjects)))


def _sample(matrix: Matrix) -> tuple[Floats, Numbers]:
    """Rows by chance, and the number of the subject of each.

    A row that moves meanwhile may be missed, or be here twice, which harms nothing: it is one subject's.
    """
    chosen = np.random.default_rng(0).permutation(len(matrix))[:SAMPLE]
    chosen.sort()
    dimension = matrix.dimension
    rows, subjects = [np.empty((0, dimension), np.float32)], [np.empty(0, np.int32)]
    start = 0
    for block in count():
        with matrix.at_once():
            part = next(islice(matrix.slices(), block, None), None)
            if part is None or part[2].shape[1] != dimension:  # the last was before, or it was emptied
                break
            _, numbers, embeddings = part
            first, last = np.searchsorted(chosen, [start, start + len(numbers)])
            rows.append(embeddings[chosen[first:last] - start])
            subjects.append(numbers[chosen[first:last] - start])
        start += len(numbers)
    return np.concatenate(rows), np.concatenate(subjects)


def _players(subjects: Numbers) -> NDArray[np.intp]:
    """Whose row is looked for: a face of everybody first, then another of everybody who has one."""
    mixed = np.random.default_rng(1).permutation(len(subjects))
    order = mixed[np.argsort(subjects[mixed], kind="stable")]
    _, firsts, counts = np.unique(subjects[order], return_index=True, return_counts=True)
    turns = np.arange(len(order)) - np.repeat(firsts, counts)
    return order[np.argsort(turns, kind="stable")][:PLAYERS]
