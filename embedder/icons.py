"""ICO files: a directory of images, each a PNG or a bitmap with a header of its own."""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image as Pillow
from PIL.IcoImagePlugin import IcoFile

from embedder import pngs

BEGINNING = b"\0\0\1\0"


def sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of each image inside, by its own header: the directory may say anything."""
    for entry in range(6, 6 + 16 * int.from_bytes(data[4:6], "little"), 16):
        offset = int.from_bytes(data[entry + 12 : entry + 16], "little")
        header = data[offset : offset + 24]
        if header.startswith(pngs.BEGINNING):
            yield int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")
        else:  # its height counts the rows of the mask too
            width = int.from_bytes(header[4:8], "little", signed=True)
            yield abs(width), abs(int.from_bytes(header[8:12], "little", signed=True)) // 2


def largest(data: bytes) -> Pillow.Image:
    """The largest image inside, by the directory. Raises ImageUnreadable if it is a PNG without end."""
    file = IcoFile(BytesIO(data))
    begin = file.entry[0].offset
    if data.startswith(pngs.BEGINNING, begin):
        pngs.check(data, begin)
    return file.frame(0)
