"""WebP files: how large they are. Pillow makes room for the pixels before it says so."""

BEGINNING, KIND = b"RIFF", b"WEBP"  # the second from the ninth byte on


def size(data: bytes) -> tuple[int, int]:
    """Width and height, by the header. Raises ValueError if there is none."""
    kind, header = data[12:16], data[20:30]
    if len(header) == 10:
        if kind == b"VP8X":
            return 1 + int.from_bytes(header[4:7], "little"), 1 + int.from_bytes(header[7:10], "little")
        if kind == b"VP8 ":
            both = int.from_bytes(header[6:10], "little")
            return both & 0x3FFF, both >> 16 & 0x3FFF
        if kind == b"VP8L":
            both = int.from_bytes(header[1:5], "little")
            return 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
    raise ValueError("a WebP without a header")
