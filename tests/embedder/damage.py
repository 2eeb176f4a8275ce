"""Small image files of every kind that the embedder reads, and ways to damage them."""

import random
import struct
import zlib
from functools import cache
from io import BytesIO

from PIL import Image

from tests.photographs import photograph

NUMBERS = (0, 1, 2, 255, 256, 1000, 32767, 32768, 65500, 65535, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)
HEADER = 200  # bytes: half of the damage is done here


@cache
def sound() -> dict[str, list[bytes]]:
    """Undamaged files, by the way they are decoded."""
    with Image.open(photograph("obama")) as file:
        image = file.convert("RGB").resize((56, 70))
    grey, palette, line = image.convert("L"), image.quantize(60), image.convert("1")
    alpha = image.convert("RGBA")
    exif = Image.Exif()
    exif[0x0112] = 6
    several = {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    rare = bytearray(saved(image, subsampling=0))
    rare[rare.index(b"\xff\xc0") + 11] = 0x31  # which libjpeg-turbo leaves to Pillow
    deep = grey.point(lambda each: each * 257, "I")  # type: ignore[no-untyped-call]
    return {
        "jpeg": [
            saved(image),
            saved(image, quality=98, subsampling=0, exif=exif),
            saved(image, progressive=True),
            saved(image, restart_marker_blocks=3),
            saved(grey),
            saved(image.convert("CMYK")),
        ],
        "jpeg of a rare kind": [bytes(rare)],
        "png": [
            saved(image, "PNG", exif=exif),
            saved(palette, "PNG", transparency=b"\0\x80" * 30),
            saved(alpha, "PNG"),
            saved(line, "PNG"),
            saved(grey.convert("LA"), "PNG"),
            saved(deep.convert("I;16"), "PNG"),
            saved(image, "PNG", **several),
        ],
        "webp": [
            saved(image, "WEBP"),
            saved(image, "WEBP", lossless=True),
            saved(alpha, "WEBP", exif=exif),
            saved(image, "WEBP", **several),
        ],
        "bmp": [saved(image, "BMP"), saved(palette, "BMP"), saved(line, "BMP"), saved(alpha, "BMP"), runs()],
        "gif": [saved(palette, "GIF"), saved(image, "GIF", interlace=0), saved(image, "GIF", **several)],
        "tiff": [
            saved(image, "TIFF", exif=exif),
            *(saved(image, "TIFF", compression=each) for each in ("tiff_lzw", "tiff_deflate", "jpeg")),
            *(saved(image, "TIFF", compression=each) for each in ("packbits", "lzma", "zstd")),
            saved(line, "TIFF", compression="group4"),
            saved(image.convert("CMYK"), "TIFF", big_tiff=True),
            saved(deep, "TIFF"),
            saved(image.convert("F"), "TIFF"),
            saved(image, "TIFF", **several),
            tiled(80),
        ],
        "ico": [
            saved(image.resize((64, 64)), "ICO", sizes=[(64, 64), (16, 16)]),
            saved(alpha.resize((32, 32)), "ICO", bitmap_format="bmp"),
        ],
    }


def saved(image: Image.Image, kind: str = "JPEG", **how: object) -> bytes:
    """The bytes of a file of `image`."""
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def damaged(way: str, seed: int) -> bytes:
    """One of the files that are decoded this way, damaged; of the same seed the same."""
    chance = random.Random(f"{way} {seed}")
    files = sound()[way]
    data = bytearray(chance.choice(files))
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        at = chance.randrange(min(len(data), chance.choice((HEADER, 2**32))) or 1)
        length = min(chance.choice((1, 1, 2, 4, 16, 200)), len(data) - at)
        match chance.randrange(8):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + 1] = bytes(each ^ 1 << chance.randrange(8) for each in data[at : at + 1])
            case 2 | 3:
                width, order = chance.choice((2, 3, 4)), chance.choice(("big", "little"))
                number = chance.choice(NUMBERS) & (1 << 8 * width) - 1
                data[at : at + width] = number.to_bytes(width, order)
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = chance.randbytes(length)
            case 6:
                other = chance.choice(files)
                there = chance.randrange(len(other))
                data[at : at + length] = other[there : there + length]
            case 7:
                del data[chance.randrange(len(data) or 1) :]
    return mended(bytes(data)) if way == "png" and chance.random() < 0.7 else bytes(data)


def mended(png: bytes) -> bytes:
    """The file with the checksums that it should have: else damage to it would be all that is seen."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        png = png[:end] + zlib.crc32(png[at + 4 : end]).to_bytes(4, "big") + png[end + 4 :]
        at = end + 4
    return png


def runs() -> bytes:
    """A BMP of 16 x 8 pixels in runs, which Pillow does not write."""
    content = b"".join(bytes([10, row, 0, 3, 1, 2, 3, 0, 3, row, 0, 0]) for row in range(8)) + b"\0\1"
    offset = 54 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, 16, 8, 1, 8, 1, len(content), 0, 0, 256, 0)
    colours = b"".join(bytes([each, 255 - each, each // 2, 0]) for each in range(256))
    return b"BM" + struct.pack("<IHHI", offset + len(content), 0, 0, offset) + header + colours + content


def tiled(side: int) -> bytes:
    """A TIFF of 64 pixels squared, all in one corner of a tile of `side` pixels squared."""
    content = zlib.compress(bytes(side * side), 9)
    values = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 325: len(content)}
    tags = sorted((values | {324: 8 + 2 + 12 * 10 + 4}).items())  # 324: where the tile is, behind these
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content
