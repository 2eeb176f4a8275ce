"""TIFF files: how much their directory says. Pillow takes microseconds for each number of it."""

from collections.abc import Iterator
from struct import iter_unpack, unpack_from
from typing import NamedTuple

from serving.faults import ImageUnreadable

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MOST_TAGS = 1000  # writers know some dozens
# Where each strip or tile is, and how long: two numbers, and an image has a strip for each row at most.
MOST_NUMBERS = 50_000

BYTES = (1, 2, 7)  # types of values that are one piece each, such as colour profiles and notes
TRANSFER_FUNCTION = 301  # honest ones have 200,000 numbers, and nobody reads them


class _Tag(NamedTuple):
    number: int
    kind: int  # of its values
    values: int


def check(data: bytes) -> None:
    """Raises ImageUnreadable if there is so much of the first page that one would be busy for long."""
    numbers = sum(
        tag.values for tag in _tags(data) if tag.kind not in BYTES and tag.number != TRANSFER_FUNCTION
    )
    if numbers > MOST_NUMBERS:
        raise ImageUnreadable(f"the TIFF has more than {MOST_NUMBERS} numbers in its directory")


def _tags(data: bytes) -> Iterator[_Tag]:
    """Those of the first page."""
    order = "<" if data.startswith(b"II") else ">"
    large = b"+" in data[2:4]
    (begin,) = unpack_from(order + ("Q" if large else "I"), data, 8 if large else 4)
    (count,) = unpack_from(order + ("Q" if large else "H"), data, begin)
    if count > MOST_TAGS:
        raise ImageUnreadable(f"the TIFF has more than {MOST_TAGS} tags")
    begin += 8 if large else 2
    size = 20 if large else 12
    directory = data[begin : begin + count * size]
    fields = order + ("HHQ8x" if large else "HHI4x")
    return (_Tag(*each) for each in iter_unpack(fields, directory[: len(directory) // size * size]))
