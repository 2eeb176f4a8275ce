"""PNG files: how many chunks they are made of. Pillow takes some microseconds for each."""

from serving.faults import ImageUnreadable

BEGINNING = b"\x89PNG\r\n\x1a\n"

# Encoders write pixels by 8 kB and more, and cameras and editors a dozen chunks besides. 10 MB hold 800,000.
MOST_CHUNKS = 10_000


def check(data: bytes, begin: int = 0) -> None:
    """Raises ImageUnreadable if there are more of them in the file that begins at `begin`."""
    at = begin + len(BEGINNING)
    for _ in range(MOST_CHUNKS):
        if at >= len(data) or data[at + 4 : at + 8] == b"IEND":
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ImageUnreadable(f"the PNG has more than {MOST_CHUNKS} chunks")
