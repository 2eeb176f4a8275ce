"""What image files become, and which are refused."""

import io
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedder.images import decode
from embedder.orientation import Orientation
from serving.faults import ImageTooLarge, ImageUnreadable
from tests.embedder.conftest import saved
from tests.embedder.damage import tiled

ROOT = Path(__file__).parents[2]
MAX_PIXELS = 50_000_000

GOOD = {
    "JPEG": ("RGB", "JPEG", {"quality": 95}),
    "progressive JPEG": ("RGB", "JPEG", {"quality": 95, "progressive": True}),
    "CMYK JPEG": ("CMYK", "JPEG", {"quality": 95}),
    "PNG": ("RGB", "PNG", {}),
    "PNG with alpha": ("RGBA", "PNG", {}),
    "PNG of a palette": ("P", "PNG", {}),
    "PNG of a palette with transparency": ("P", "PNG", {"transparency": b"\0\x80\xff" * 85}),
    "WebP": ("RGB", "WEBP", {"lossless": True}),
    "WebP with alpha": ("RGBA", "WEBP", {"quality": 95}),
    "BMP": ("RGB", "BMP", {}),
    "GIF": ("P", "GIF", {}),
    "TIFF": ("RGB", "TIFF", {}),
    "compressed TIFF": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
    "CMYK TIFF": ("CMYK", "TIFF", {}),
    "TIFF with alpha": ("RGBA", "TIFF", {}),
}
GREY = {
    "grey JPEG": ("L", "JPEG", {"quality": 95}),
    "grey PNG": ("L", "PNG", {}),
    "grey PNG with transparency": ("L", "PNG", {"transparency": 3}),
    "grey PNG with alpha": ("LA", "PNG", {}),
    "16-bit PNG": ("I;16", "PNG", {}),
    "16-bit TIFF": ("I;16", "TIFF", {}),
    "32-bit TIFF": ("I", "TIFF", {}),
    "float TIFF": ("F", "TIFF", {}),
}


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode in ("I;16", "I"):
        deep = np.asarray(image.convert("L")).astype(np.uint32) * 257
        return Image.fromarray(deep.astype(np.uint16 if mode == "I;16" else np.int32))
    if mode in ("RGBA", "LA"):
        image = image.copy()
        image.putalpha(Image.linear_gradient("L").resize(image.size))  # of no matter
    return image.quantize(200) if mode == "P" else image.convert(mode)


@pytest.mark.parametrize("kind", [*GOOD, *GREY])
def test_every_format_becomes_the_same_pixels(portrait: Image.Image, kind: str) -> None:
    mode, name, how = {**GOOD, **GREY}[kind]
    image = decode(saved(in_mode(portrait, mode), name, **how), MAX_PIXELS)
    expected = np.asarray((portrait.convert("L") if kind in GREY else portrait).convert("RGB"))
    assert (image.width, image.height) == portrait.size
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape == expected.shape
    assert np.abs(image.pixels.astype(int) - expected).mean() < 12


def test_an_icon_is_its_largest_image(portrait: Image.Image) -> None:
    square = portrait.resize((256, 256))
    for bitmap in ("png", "bmp"):
        image = decode(saved(square, "ICO", bitmap_format=bitmap), MAX_PIXELS)
        assert np.abs(image.pixels.astype(int) - np.asarray(square)).mean() < 1


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_images_in_a_file_the_first_counts(portrait: Image.Image, kind: str) -> None:
    other = Image.new("RGB", portrait.size, "red")
    how = {"lossless": True} if kind == "WEBP" else {}
    data = saved(portrait, kind, save_all=True, append_images=[other, other], **how)
    assert np.abs(decode(data, MAX_PIXELS).pixels.astype(int) - np.asarray(portrait)).mean() < 12


@pytest.mark.parametrize("kind", [kind for kind in (*GOOD, *GREY) if "JPEG" in kind])
def test_a_jpeg_is_decoded_exactly(portrait: Image.Image, kind: str) -> None:
    mode, name, how = {**GOOD, **GREY}[kind]
    data = saved(in_mode(portrait, mode), name, **how)
    with Image.open(io.BytesIO(data)) as file:
        expected = np.asarray(file.convert("RGB")).astype(int)
    assert np.abs(decode(data, MAX_PIXELS).pixels - expected).max() <= (mode == "CMYK")


def test_a_large_jpeg_keeps_all_of_its_pixels(portrait: Image.Image) -> None:
    for size in ((3000, 4001), (40_000, 3), (2, 30_000)):
        image = decode(saved(portrait.resize(size)), MAX_PIXELS)
        assert (image.width, image.height) == size


@pytest.mark.parametrize("sampling", [b"\x31", b"\x14", b"\x41"])
def test_a_jpeg_of_a_rare_kind_is_read_all_the_same(portrait: Image.Image, sampling: bytes) -> None:
    data = bytearray(saved(portrait, subsampling=0))
    at = data.index(b"\xff\xc0") + 11  # how the first component is sampled
    data[at : at + 1] = sampling  # its pixels are nonsense then
    assert decode(bytes(data), MAX_PIXELS).width == portrait.width


def test_what_follows_a_jpeg_is_of_no_matter(portrait: Image.Image) -> None:
    film = random.Random(3).randbytes(1000) + b"\xff\xda" * 100
    assert decode(saved(portrait) + film, MAX_PIXELS).width == portrait.width


def test_a_small_damage_does_not_spoil_a_jpeg(portrait: Image.Image) -> None:
    data = saved(portrait)
    image = decode(data[:9000] + b"\0\0\0" + data[9003:], MAX_PIXELS)
    assert np.abs(image.pixels[:80].astype(int) - np.asarray(portrait)[:80]).mean() < 5


def scans(portrait: Image.Image, count: int, before: bytes = b"") -> bytes:
    """A progressive JPEG with its last scan again and again."""
    data = saved(portrait, progressive=True)[:-2]
    last = data[data.rindex(b"\xff\xda") :]
    return data + (before + last) * count + b"\xff\xd9"


def test_a_jpeg_of_endless_scans_is_refused(portrait: Image.Image) -> None:
    assert decode(scans(portrait, 30), MAX_PIXELS).width == portrait.width
    comment = b"\xff\xfe\0\x06\xff\xd9\xff\xd9"  # which looks like the end
    for data in (scans(portrait, 60), scans(portrait, 60, comment), scans(portrait, 60, b"\xff" * 9)):
        with pytest.raises(ImageUnreadable, match="scans"):
            decode(data, MAX_PIXELS)


def test_a_jpeg_of_endless_segments_is_refused_at_once(portrait: Image.Image) -> None:
    data = saved(portrait)
    for count, more in ((900, b""), (2_000_000, b""), (2_000_000, b"\xff\xda" * 100)):
        many = data[:2] + b"\xff\xe4\0\x02" * count + data[2:] + more
        began = time.perf_counter()
        if count > 1000:
            with pytest.raises(ImageUnreadable, match="segments"):
                decode(many, MAX_PIXELS)
        else:
            assert decode(many, MAX_PIXELS).width == portrait.width
        assert time.perf_counter() - began < 1  # second; Pillow takes four


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    """A PNG of `side` pixels squared in a few kilobytes."""
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def icon_of(inside: bytes) -> bytes:
    return (
        struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 64, 64, 0, 0, 1, 32, len(inside), 22) + inside
    )


def forged_jpeg() -> bytes:
    data = saved(Image.new("RGB", (64, 64)))
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65500, 65500) + data[at + 4 :]


def forged_bitmap() -> bytes:
    return icon_of(struct.pack("<IiiHHIIiiII", 40, 30_000, -60_000, 1, 32, 0, 0, 0, 0, 0, 0) + bytes(99))


def forged_webp(kind: str) -> bytes:
    how = {"lossless": kind == "VP8L", "exif": exif(1) if kind == "VP8X" else b""}
    data = saved(Image.new("RGB", (64, 64)), "WEBP", **how)
    assert data[12:16] == kind.ljust(4).encode()
    at, sides = {
        "VP8": (26, struct.pack("<HH", 16383, 16383)),
        "VP8L": (21, struct.pack("<I", 16383 << 14 | 16383)),
        "VP8X": (24, b"\xff\x7f\0" * 2),
    }[kind]
    return data[:at] + sides + data[at + len(sides) :]


BOMBS = {
    "PNG": lambda: bomb(25_000),
    "PNG in an icon": lambda: icon_of(bomb(25_000)),
    "bitmap in an icon": forged_bitmap,
    "JPEG": forged_jpeg,
    "WebP": lambda: forged_webp("VP8"),
    "lossless WebP": lambda: forged_webp("VP8L"),
    "WebP of several parts": lambda: forged_webp("VP8X"),
    "tile of a TIFF": lambda: tiled(20_000),
}

# Prints the KiB that this process has held at most, before and after, the seconds it took, and the facts.
DECODES = """
import io, json, pathlib, sys, time
from PIL import Image
from embedder.images import decode
from embedder.orientation import Orientation
from serving.faults import ImageTooLarge

def most():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

for kind in ("JPEG", "PNG", "ICO", "WEBP", "TIFF"):
    small = io.BytesIO()
    Image.new("RGB", (64, 64)).save(small, kind)
    decode(small.getvalue(), 5000)
data, before, began = pathlib.Path(sys.argv[1]).read_bytes(), most(), time.perf_counter()
try:
    decode(data, int(sys.argv[2]))
except ImageTooLarge as fault:
    print(json.dumps([before, most(), time.perf_counter() - began, fault.facts]))
"""


@pytest.mark.parametrize("kind", BOMBS)
def test_too_many_pixels_are_refused_before_they_are_decoded(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(BOMBS[kind]())
    assert file.stat().st_size < 400_000
    command = [sys.executable, "-c", DECODES, str(file), str(MAX_PIXELS)]
    before, after, seconds, facts = json.loads(subprocess.check_output(command, cwd=ROOT))
    assert after - before < 50 * 1024
    assert seconds < 0.5
    assert int(facts["width"]) * int(facts["height"]) > int(facts["max_pixels"]) == MAX_PIXELS


def test_as_many_pixels_as_allowed_are_decoded(portrait: Image.Image) -> None:
    pixels = portrait.width * portrait.height
    decode(saved(portrait), pixels)
    with pytest.raises(ImageTooLarge):
        decode(saved(portrait), pixels - 1)


def test_what_is_no_image_is_refused(portrait: Image.Image) -> None:
    jpeg, png, tiff = saved(portrait), saved(portrait, "PNG"), saved(portrait, "TIFF")
    bad = {
        "nothing": b"",
        "text": b"hello, world",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "PPM, which Pillow knows": saved(portrait, "PPM"),
        "TGA, which Pillow knows": saved(portrait, "TGA"),
        "JPEG 2000, which Pillow knows": saved(portrait, "JPEG2000"),
        "EPS, which Pillow runs a program for": saved(portrait, "EPS"),
        "a sound": b"RIFF\x24\0\0\0WAVEfmt ",
        "half a JPEG": jpeg[: len(jpeg) // 2],
        "half a PNG": png[: len(png) // 2],
        "half a TIFF": tiff[: len(tiff) // 2],
        "the beginning of a JPEG": jpeg[:3],
        "noise after the beginning of a PNG": png[:8] + random.Random(1).randbytes(999),
        "an empty icon": struct.pack("<HHH", 0, 1, 0),
        "an icon of nothing": icon_of(b""),
        "an icon of text": icon_of(b"hello"),
    }
    read = []
    for what, data in bad.items():
        try:
            decode(data, MAX_PIXELS)
        except ImageUnreadable:
            continue
        read.append(what)
    assert read == []


def test_an_icon_of_endless_entries_is_read_at_once(portrait: Image.Image) -> None:
    data = saved(portrait.resize((64, 64)), "ICO", sizes=[(64, 64)])
    entry, inside = data[6:18], data[22:]
    many = data[:4] + b"\xff\xff" + (entry + struct.pack("<I", 6 + 16 * 65535)) * 65535 + inside
    began = time.perf_counter()
    assert decode(many + bytes(9_000_000), MAX_PIXELS).width == 64
    assert time.perf_counter() - began < 5  # seconds; a copy of the file for each entry takes a minute


def exif(orientation: int | bytes) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_orientation_is_applied_and_moves_no_pixel(portrait: Image.Image, kind: str, tag: int) -> None:
    orientation = Orientation.of_tag(tag)
    lying = Image.fromarray(np.ascontiguousarray(orientation.lying(np.asarray(portrait))))
    how = {"lossless": True} if kind == "WEBP" else {}
    image = decode(saved(lying, kind, exif=exif(tag), **how), MAX_PIXELS)
    assert (image.width, image.height) == portrait.size
    assert np.abs(image.pixels.astype(int) - np.asarray(portrait)).mean() < 5
    if kind != "TIFF":  # which Pillow turns while it decodes
        assert Orientation.of_view(image.pixels) == orientation


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # as in the process that serves
@pytest.mark.parametrize("tag", [exif(0), exif(9), b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0no", b""])
def test_an_orientation_that_makes_no_sense_is_none(portrait: Image.Image, tag: bytes) -> None:
    image = decode(saved(portrait, exif=tag), MAX_PIXELS)
    assert (image.width, image.height) == portrait.size


def test_a_file_is_known_by_its_content(portrait: Image.Image) -> None:
    data = io.BytesIO()
    portrait.save(data, "MPO", save_all=True, append_images=[portrait])  # what many phones call a JPEG
    assert decode(data.getvalue(), MAX_PIXELS).width == portrait.width
