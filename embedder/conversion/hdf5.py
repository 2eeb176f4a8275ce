"""Reads the weights out of HDF5 files as Keras writes them: float32, each in one piece.

The format is that of the HDF5 File Format Specification, version 1 of its structures, with addresses of
eight bytes. What else may be in such a file is passed over.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = 64  # where the superblock says where the root is
# The types of an object's messages.
SPACE, TYPE, LAYOUT, CONTINUATION, GROUP = 1, 3, 8, 16, 17
FLOAT32 = b"\x11\x20\x1f\x00\x04\x00\x00\x00"  # how a little-endian one is described
CONTIGUOUS = 1

Weights = dict[str, npt.NDArray[np.float32]]


def read(data: bytes) -> Weights:
    """The arrays of a file by their paths, such as "model_weights/dense/dense/kernel:0".

    Raises ValueError if it is of another kind.
    """
    if not data.startswith(b"\x89HDF\r\n\x1a\n\0") or data[13:15] != b"\x08\x08":
        raise ValueError("this is no HDF5 file of the kind that Keras writes")
    (root,) = _words(data, ROOT, 1)
    return dict(_below(data, root, ""))


def _below(data: bytes, address: int, path: str) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """What there is in the object at an address."""
    messages = dict(_messages(data, address))
    if GROUP in messages:
        tree, heap = _words(messages[GROUP], 0, 2)
        (names,) = _words(data, heap + 24, 1)
        for name, child in _members(data, tree):
            end = data.index(b"\0", names + name)
            yield from _below(data, child, f"{path}/{data[names + name : end].decode()}".lstrip("/"))
    elif messages.get(TYPE, b"").startswith(FLOAT32) and messages[LAYOUT][:2] == bytes([3, CONTIGUOUS]):
        space = messages[SPACE]
        shape = _words(space, 8 if space[0] == 1 else 4, space[1])
        (start,) = _words(messages[LAYOUT], 2, 1)
        yield path, np.frombuffer(data, "<f4", int(np.prod(shape)), start).reshape(shape)


def _messages(data: bytes, address: int) -> Iterator[tuple[int, bytes]]:
    """The messages of the object at an address, by their types."""
    (size,) = struct.unpack_from("<I", data, address + 8)
    blocks = [(address + 16, size)]
    for start, length in blocks:  # which grows under way
        at = start
        while at + 8 <= start + length:
            kind, size = struct.unpack_from("<HH", data, at)
            message = data[at + 8 : at + 8 + size]
            if kind == CONTINUATION:
                further, its_length = _words(message, 0, 2)
                blocks.append((further, its_length))
            yield kind, message
            at += 8 + size


def _members(data: bytes, tree: int) -> Iterator[tuple[int, int]]:
    """Where in its heap the name of each member of a group is, and the address of the member."""
    count = struct.unpack_from("<H", data, tree + 6)[0]
    if data[tree : tree + 4] == b"SNOD":
        for entry in range(tree + 8, tree + 8 + 40 * count, 40):
            name, address = _words(data, entry, 2)
            yield name, address
    else:
        for each in range(count):
            (child,) = _words(data, tree + 32 + 16 * each, 1)
            yield from _members(data, child)


def _words(data: bytes, start: int, count: int) -> tuple[Any, ...]:
    return struct.unpack_from(f"<{count}Q", data, start)
