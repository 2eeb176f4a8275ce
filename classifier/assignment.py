"""Who is who in one photograph, if nobody is in it twice."""

import numpy as np
from numpy.typing import NDArray

Gains = NDArray[np.float64]


def assign(gains: Gains) -> list[int | None]:
    """For each row of (rows, columns) its column, so that no two share one and the sum of gains is largest.

    None for a row that takes none: a gain of 0 and less is worth nothing. The Hungarian algorithm by shortest
    augmenting paths: rows^2 * columns steps, a millisecond for ten faces and a hundred subjects.
    """
    rows, columns = gains.shape
    # Each row has a column of its own, too, which stands for none.
    costs = np.concatenate([-gains.clip(0), np.full((rows, rows), np.inf)], axis=1)
    np.fill_diagonal(costs[:, columns:], 0)
    prices, refunds = np.zeros(columns + rows), np.zeros(rows)
    holders = np.full(columns + rows, -1)
    for row in range(rows):
        shortest = np.full(columns + rows, np.inf)
        came = np.full(columns + rows, -1)  # the column before, on the way here
        done = np.zeros(columns + rows, bool)
        at, column, length = row, -1, 0.0
        while True:  # Dijkstra's, until a column that nobody holds
            lengths = length + costs[at] - refunds[at] - prices
            shorter = ~done & (lengths < shortest)
            shortest[shorter], came[shorter] = lengths[shorter], column
            column = int(np.where(done, np.inf, shortest).argmin())
            length, at = float(shortest[column]), int(holders[column])
            done[column] = True
            if at < 0:
                break
        held = done & (holders >= 0)
        refunds[holders[held]] += length - shortest[held]
        refunds[row] += length
        prices[done] -= length - shortest[done]
        while column >= 0:
            before = int(came[column])
            holders[column] = row if before < 0 else holders[before]
            column = before
    places = {int(row): column for column, row in enumerate(holders[:columns]) if row >= 0}
    taken = [places.get(row) for row in range(rows)]
    return [each if each is not None and gains[row, each] > 0 else None for row, each in enumerate(taken)]
