"""What image files become, and which are refused."""

import io
import random
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from embedder.images import ENOUGH, decode
from serving.faults import ImageTooLarge, ImageUnreadable
from tests.embedder.conftest import saved

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


def test_a_large_jpeg_is_decoded_smaller_and_says_its_size(portrait: Image.Image) -> None:
    image = decode(saved(portrait.resize((3000, 4001))), MAX_PIXELS)
    assert (image.width, image.height) == (3000, 4001)
    assert image.pixels.shape == (2001, 1500, 3)
    for size in ((40_000, 3), (2, 30_000), (ENOUGH, ENOUGH), (2 * ENOUGH, 2 * ENOUGH)):
        image = decode(saved(Image.new("RGB", size)), MAX_PIXELS)
        assert (image.width, image.height) == size
        assert max(image.pixels.shape) >= ENOUGH


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


def forged_jpeg(portrait: Image.Image) -> bytes:
    data = saved(portrait)
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65500, 65500) + data[at + 4 :]


def forged_bitmap() -> bytes:
    return icon_of(struct.pack("<IiiHHIIiiII", 40, 30_000, -60_000, 1, 32, 0, 0, 0, 0, 0, 0) + bytes(99))


def test_too_many_pixels_are_refused_before_they_are_decoded(portrait: Image.Image) -> None:
    png = bomb(25_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB
    for data in (png, icon_of(png), forged_jpeg(portrait), forged_bitmap()):
        with pytest.raises(ImageTooLarge) as refusal:
            decode(data, MAX_PIXELS)
        assert int(refusal.value.facts["width"]) * int(refusal.value.facts["height"]) > MAX_PIXELS
        assert refusal.value.facts["max_pixels"] == str(MAX_PIXELS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "ICO"])
def test_damage_anywhere_is_an_image_or_a_refusal(portrait: Image.Image, kind: str) -> None:
    good = saved(portrait.resize((64, 80)), kind)
    chance = random.Random(kind)
    for _ in range(150):
        data = bytearray(good)
        for _ in range(chance.randint(1, 8)):
            beginning, anywhere = chance.randrange(min(200, len(data))), chance.randrange(len(data))
            data[chance.choice((beginning, anywhere))] = chance.randrange(256)
        try:
            image = decode(bytes(data), 1_000_000)
        except (ImageUnreadable, ImageTooLarge):
            continue
        assert image.pixels.size <= 3_000_000


def exif(orientation: int | bytes) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_whatever_the_format(portrait: Image.Image, kind: str) -> None:
    lying = portrait.transpose(Image.Transpose.ROTATE_90)
    how = {"lossless": True} if kind == "WEBP" else {}
    image = decode(saved(lying, kind, exif=exif(6), **how), MAX_PIXELS)
    assert (image.width, image.height) == portrait.size
    assert np.abs(image.pixels.astype(int) - np.asarray(portrait)).mean() < 5


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # as in the process that serves
@pytest.mark.parametrize("tag", [exif(0), exif(9), b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0no", b""])
def test_an_orientation_that_makes_no_sense_is_none(portrait: Image.Image, tag: bytes) -> None:
    image = decode(saved(portrait, exif=tag), MAX_PIXELS)
    assert (image.width, image.height) == portrait.size


def test_a_file_is_known_by_its_content(portrait: Image.Image) -> None:
    data = io.BytesIO()
    portrait.save(data, "MPO", save_all=True, append_images=[portrait])  # what many phones call a JPEG
    assert decode(data.getvalue(), MAX_PIXELS).width == portrait.width
