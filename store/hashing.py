"""The hash of a gallery's faces, as the contract's GetGalleryStateResponse defines it."""

from collections.abc import Iterable
from hashlib import blake2b

_MODULUS = 1 << 128


def sum_of(faces: Iterable[bytes], before: int = 0) -> int:
    """The sum of the faces' numbers, and of what came before them. Their order makes no difference.

    Each face is its id, its subject's id, its embedding and its subject's name, one after another.
    """
    total = before
    for face in faces:
        total += int.from_bytes(blake2b(face, digest_size=16).digest(), "little")
    return total % _MODULUS


def as_text(total: int) -> str:
    """A sum as it is told: 32 hexadecimal digits."""
    return f"{total % _MODULUS:032x}"
