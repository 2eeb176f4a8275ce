"""JPEG files, by libjpeg-turbo alone: three times as fast as by Pillow, and RGB from the start."""

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

import numpy as np
import simplejpeg
from PIL import Image as Pillow

from embedder.orientation import Pixels
from serving.faults import ImageUnreadable

BEGINNING = b"\xff\xd8\xff"

# Encoders write about ten. Each is a pass over all pixels and takes no more than some bytes, so that those
# of one file could keep a decoder busy for an hour.
MOST_SCANS = 50
MOST_SEGMENTS = 1000  # cameras write some dozens, and hundreds if they hide a second picture in them

MOST_HALVINGS = 3  # that the decoder does

PROGRESSIVE, APP1, START_OF_SCAN, END_OF_IMAGE = 0xC2, 0xE1, 0xDA, 0xD9

# Begins a segment, or ends the image. Other markers are escapes, or stand alone among the pixels.
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")


class Unusual(Exception):
    """A JPEG that is damaged or of a rare kind: Pillow may know more."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height, by the header. Raises Unusual."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: a subsampling that has no name there
        raise Unusual from error
    return int(width), int(height)


def pixels(data: bytes, halvings: int = 0) -> Pixels:
    """(rows, columns, 3) RGB, as they lie in the file. Raises Unusual.

    Halved so often, at most MOST_HALVINGS: the decoder averages squares of pixels, as it were, which is less
    work.
    """
    width, height = (halved(side, halvings) for side in size(data))
    try:
        lying: Pixels = simplejpeg.decode_jpeg(
            data, min_width=width, min_height=height, min_factor=2**halvings
        )
    except ValueError as error:
        raise Unusual from error
    return lying


def halved(side: int, halvings: int) -> int:
    """How many pixels of a side there are then: the last of them may be of less than a square."""
    return -(-side >> halvings)


def is_quicker_halved(data: bytes) -> bool:
    """Whether fewer pixels are decoded in less time. A progressive file takes most of it for any of them."""
    return all(segment.kind != PROGRESSIVE for segment in _header(data))


def exif(data: bytes) -> Pillow.Exif:
    """The camera's notes; none if there are none. Raises almost anything if they are damaged."""
    notes = Pillow.Exif()
    for segment in _header(data):
        if segment.kind == APP1 and segment.content.startswith(b"Exif\0\0"):
            notes.load(segment.content)
            break
    return notes


def check(data: bytes) -> None:
    """Raises ImageUnreadable if there is so much to it that a decoder would be busy for long."""
    # Bytes that look like a scan may be of something else, such as a film behind the photograph.
    pairs = (np.frombuffer(data, ">u2", (len(data) - start) // 2, start) for start in (0, 1))
    many = sum(np.count_nonzero(each == 0xFF00 + START_OF_SCAN) for each in pairs) > MOST_SCANS
    kinds = [segment.kind for segment in (_segments(data) if many else _header(data))]
    if kinds.count(START_OF_SCAN) > MOST_SCANS:
        raise ImageUnreadable(f"the JPEG has more than {MOST_SCANS} scans")


class _Segment(NamedTuple):
    kind: int
    content: bytes


def _header(data: bytes) -> Iterator[_Segment]:
    return takewhile(lambda each: each.kind != START_OF_SCAN, _segments(data))


def _segments(data: bytes) -> Iterator[_Segment]:
    """Those of the first image in the file, found as decoders find them. Raises ImageUnreadable."""
    at = count = 0
    while (found := _MARKER.search(data, at)) and (kind := found[1][0]) != END_OF_IMAGE:
        if (count := count + 1) > MOST_SEGMENTS:
            raise ImageUnreadable(f"the JPEG has more than {MOST_SEGMENTS} segments")
        begin = found.end() + 2
        at = max(begin, found.end() + int.from_bytes(data[found.end() : begin], "big"))
        yield _Segment(kind, data[begin:at])
