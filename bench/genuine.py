"""People of photographs at a gallery of them: who is found, as whom, and how near the next one comes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.faces import Face
from bench.open_set import People, tail_of
from classifier.tails import of_one

Numbers = NDArray[np.float64]


class Sought(NamedTuple):
    """Faces of enrolled people, over many galleries."""

    who: NDArray[np.intp]
    cosines: Numbers  # to the most similar subject
    margins: Numbers  # of it to the next one
    right: NDArray[np.bool_]  # whether it is they
    threshold: Numbers  # (rates, n): what each gallery asked for


def sought(faces: list[Face], rates: tuple[float, ...], times: int) -> Sought:
    """Each time half of the photographs of everybody known is enrolled, with strangers; the rest is sought.

    The curve is that of the strangers: it has seen no face that is sought.
    """
    lot = np.random.default_rng(0)
    everybody = People.of(faces)
    known = np.array([face.known for face in faces])
    tail = tail_of(People.of([face for face in faces if not face.known]))
    parts = []
    for _ in range(times):
        asked = known & (lot.random(len(faces)) < 0.5)
        gallery = People(everybody.rows[~asked], everybody.who[~asked])
        asked &= np.isin(everybody.who, gallery.who)  # of whom no photograph is left, nobody can be found
        names, columns = np.unique(gallery.who, return_inverse=True)
        best = np.full((asked.sum(), len(names)), -1.0)
        np.maximum.at(best.T, columns, (everybody.rows[asked] @ gallery.rows.T).T)
        first = best.argmax(1)
        top = np.sort(best, axis=1)[:, ::-1]
        limits = [tail.cosine(of_one(rate, gallery.comparisons)) for rate in rates]
        parts.append(
            Sought(
                everybody.who[asked],
                top[:, 0],
                top[:, 0] - top[:, 1],
                names[first] == everybody.who[asked],
                np.repeat(np.array(limits)[:, None], asked.sum(), axis=1),
            )
        )
    return Sought(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))
