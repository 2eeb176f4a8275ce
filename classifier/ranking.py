"""Which of some faces are the most similar to a probe: the same answer wherever they were found."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.blocks import Floats, Rows

Numbers = NDArray[np.float64]


def cosines_of(embeddings: Floats, probe: Floats) -> Numbers:
    """The dot product of each row with the probe, summed in double precision."""
    cosines: Numbers = (embeddings.astype(np.float64) * probe).sum(1)
    return cosines


def ranked(
    cosines: Numbers,
    subjects: NDArray[np.int32],
    enrolled: NDArray[np.int64],
    count: int,
    distinct: bool,
    limit: float,
) -> Rows | None:
    """The `count` best, the best first; equal ones in the order of enrolment; with `distinct` one a subject.

    None unless they are more similar than `limit`, which others may be.
    """
    order: NDArray[Any] = np.lexsort((enrolled, -cosines))
    if distinct:
        _, first = np.unique(subjects[order], return_index=True)
        order = order[np.sort(first)]
    order = order[:count]
    if limit > -np.inf and (len(order) < count or cosines[order[-1]] <= limit):
        return None
    return order
