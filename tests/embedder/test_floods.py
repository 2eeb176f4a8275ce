"""Files of a great many tiny parts, each of which would take its time."""

import time
import zlib
from collections.abc import Callable
from io import BytesIO
from struct import pack

import numpy as np
import pytest
from PIL import Image

from embedder import gifs, pngs, tiffs
from embedder.images import decode
from serving.faults import ImageUnreadable
from tests.embedder.conftest import saved
from tests.embedder.test_images import icon_of

MAX_PIXELS = 4_000_000
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7  # types of values in a TIFF
X_RESOLUTION, PROFILE, ORIENTATION = 282, 34675, 274


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))


def png(flood: bytes, before: bytes = b"IDAT") -> bytes:
    data = saved(Image.new("RGB", (64, 64)), "PNG")
    at = data.index(before) - 4
    return data[:at] + flood + data[at:]


def png_of(pieces: int) -> bytes:
    """Whose pixels come in so many chunks."""
    header = chunk(b"IHDR", pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(301 * 100), 0)
    parts = np.array_split(np.frombuffer(pixels, np.uint8), pieces)
    return (
        pngs.BEGINNING + header + b"".join(chunk(b"IDAT", part.tobytes()) for part in parts) + chunk(b"IEND")
    )


def gif(flood: bytes) -> bytes:
    data = saved(Image.new("L", (64, 64)), "GIF")
    at = 13 + 3 * (2 << (data[10] & 7))  # after the palette
    return data[:at] + flood + data[at:]


def tiff(*tags: tuple[int, int, int], rows: int = 8, large: bool = False) -> bytes:
    """Of one column, and a strip for each row; tags are numbers, types of values and how many there are."""
    start = 16 if large else 8
    entry, count = ("<HHQQ", "<Q") if large else ("<HHII", "<H")
    first = [
        (256, LONG, 1, 1),
        (257, LONG, 1, rows),
        (258, SHORT, 1, 8),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 1),
    ]
    number = len(first) + 4 + len(tags)
    end = start + len(pack(count, 0)) + number * len(pack(entry, 0, 0, 0, 0)) + 8
    strips = [
        (273, LONG, rows, end),
        (277, SHORT, 1, 1),
        (278, LONG, 1, 1),
        (279, LONG, rows, end + 4 * rows),
    ]
    more = [(*tag, end) for tag in tags]
    entries = b"".join(pack(entry, *each) for each in (*first, *strips, *more))
    header = b"II+\0" + pack("<HHQ", 8, 0, start) if large else b"II*\0" + pack("<I", start)
    values = pack("<I", end) * rows + pack("<I", 1) * rows
    longest = max([8 * values for _, _, values in tags], default=0)
    return header + pack(count, number) + entries + bytes(8) + values + bytes(longest)


FLOODS: dict[str, Callable[[], bytes]] = {
    "chunks that nobody knows": lambda: png(chunk(b"abCd") * pngs.MOST_CHUNKS),
    "chunks of text": lambda: png(chunk(b"tEXt", b"a\0") * pngs.MOST_CHUNKS),
    "chunks after the pixels": lambda: png(chunk(b"abCd") * pngs.MOST_CHUNKS, b"IEND"),
    "chunks of pixels": lambda: png_of(pngs.MOST_CHUNKS),
    "chunks of a PNG in an icon": lambda: icon_of(png(chunk(b"abCd") * pngs.MOST_CHUNKS)),
    "blocks of a comment": lambda: gif(b"!\xfe" + b"\1a" * gifs.MOST_BLOCKS + b"\0"),
    "comments": lambda: gif(b"!\xfe\1a\0" * gifs.MOST_BLOCKS),
    "blocks of a program": lambda: gif(b"!\xff" + b"\1a" * gifs.MOST_BLOCKS + b"\0"),
    "nothing before a picture": lambda: gif(b"\0" * gifs.MOST_BLOCKS),
    "tags": lambda: tiff(*[(40000 + each, SHORT, 1) for each in range(tiffs.MOST_TAGS)]),
    "tags of a large TIFF": lambda: tiff(
        *[(40000 + each, SHORT, 1) for each in range(tiffs.MOST_TAGS)], large=True
    ),
    "strips": lambda: tiff(rows=tiffs.MOST_NUMBERS // 2),
    "resolutions": lambda: tiff((X_RESOLUTION, RATIONAL, tiffs.MOST_NUMBERS)),
    "orientations": lambda: tiff((ORIENTATION, SHORT, tiffs.MOST_NUMBERS), large=True),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_parts_is_refused(kind: str) -> None:
    with pytest.raises(ImageUnreadable, match="has more than"):
        decode(FLOODS[kind](), MAX_PIXELS)


LARGE: dict[str, Callable[[], bytes]] = {
    "a PNG of short pieces": lambda: png_of(5000),
    "a PNG with a film behind it": lambda: saved(Image.new("RGB", (64, 64)), "PNG") + chunk(b"abCd") * 20_000,
    "a GIF with a profile": lambda: gif(b"!\xff\x0bICCRGBG1012" + (b"\xff" + bytes(255)) * 5000 + b"\0"),
    "a TIFF with a strip for each row": lambda: tiff(rows=20_000),
    "a TIFF with a profile": lambda: tiff((PROFILE, UNDEFINED, 1_000_000), large=True),
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_encoders_write_is_read(kind: str) -> None:
    assert decode(LARGE[kind](), MAX_PIXELS).width


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_endless_notes_of_a_camera_say_nothing(kind: str) -> None:
    values = 1_000_000
    notes = (
        b"II*\0" + pack("<IHHHIII", 8, 1, ORIENTATION, RATIONAL, values, 26, 0) + pack("<II", 6, 1) * values
    )
    image, file = Image.new("RGB", (64, 32)), BytesIO()
    image.save(file, kind, exif=notes, lossless=True)
    began = time.perf_counter()
    assert decode(file.getvalue(), MAX_PIXELS).width == 64
    assert time.perf_counter() - began < 1  # seconds; as numbers they take six
