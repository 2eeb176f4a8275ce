"""GIF files: how much there is before the first picture. Pillow reads it block by block."""

from serving.faults import ImageUnreadable

BEGINNINGS = (b"GIF87a", b"GIF89a")

EXTENSION, PICTURE, END = b"!", b",", b";"

# A comment or a colour profile is some dozen blocks, of up to 255 bytes each. 10 MB hold five million.
MOST_BLOCKS = 20_000


def check(data: bytes) -> None:
    """Raises ImageUnreadable if there are so many blocks that one would be busy for long."""
    flags = data[10]
    at = 13 + (3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0)
    inside = False  # of an extension, whose blocks begin with their length, and end with one of 0
    for _ in range(MOST_BLOCKS):
        kind = data[at : at + 1]
        if not kind or (not inside and kind in (PICTURE, END)):
            return
        if inside:
            inside, at = kind != b"\0", at + 1 + kind[0]
        else:  # decoders skip what is no extension, byte by byte
            inside = kind == EXTENSION
            at += 2 if inside else 1
    raise ImageUnreadable(f"the GIF has more than {MOST_BLOCKS} blocks before its picture")
