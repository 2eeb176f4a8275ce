"""From the bytes of an image file to upright pixels."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, TiffImagePlugin
from PIL import Image as Pillow
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from embedder import gifs, icons, jpegs, pngs, tiffs, webps
from embedder.halving import halvings
from embedder.orientation import Orientation, Pixels
from serving.faults import ImageTooLarge, ImageUnreadable


class Image(NamedTuple):
    """An image as it is seen: its EXIF orientation has been applied."""

    # (rows, columns, 3) RGB; a view that no pixel was moved for, see Orientation.
    pixels: Pixels
    width: int
    height: int
    halvings: int = 0  # how often the pixels are halved: then there are fewer than width and height say


def decode(data: bytes, max_pixels: int, least: int | None = None) -> Image:
    """Reads a JPEG, PNG, WebP, BMP, GIF (first frame), TIFF (first page) or ICO (largest); drops alpha.

    If its longer side may have as few pixels as `least` it is halved, where that saves time.
    Raises ImageUnreadable, and ImageTooLarge, before decoding, if there are more than `max_pixels`.
    """
    if not data:
        raise ImageUnreadable("the image is empty")
    try:
        return _upright(data, max_pixels, least)
    except (ImageUnreadable, ImageTooLarge):
        raise
    except Exception as error:  # decoders raise almost anything at bytes that are not what they claim
        raise ImageUnreadable("the image cannot be decoded: it is damaged or cut off") from error


def _upright(data: bytes, max_pixels: int, least: int | None) -> Image:
    if data.startswith(jpegs.BEGINNING):
        jpegs.check(data)
        with suppress(jpegs.Unusual):
            size = jpegs.size(data)
            _check([size], max_pixels)
            times = _halvings(data, size, least) if least else 0
            lying = jpegs.pixels(data, times)
            return _image(lying, size, _orientation(partial(jpegs.exif, data)), times)
    file = _opened(data, max_pixels)
    file.load()
    lying = _rgb(file)
    return _image(lying, lying.shape[1::-1], _orientation(partial(_exif, file)))


def _image(lying: Pixels, size: tuple[int, ...], orientation: Orientation, halvings: int = 0) -> Image:
    width, height = size[::-1] if orientation.swapped else size
    return Image(orientation.upright(lying), width, height, halvings)


def _halvings(data: bytes, size: tuple[int, int], least: int) -> int:
    times = min(halvings(max(size), least), jpegs.MOST_HALVINGS)
    return times if times and jpegs.is_quicker_halved(data) else 0


def _opened(data: bytes, max_pixels: int) -> Pillow.Image:
    """The image with its header read, and no more."""
    if data.startswith(icons.BEGINNING):
        _check(icons.sizes(data), max_pixels)
        return icons.largest(data)
    if data.startswith(webps.BEGINNING) and data[8:12] == webps.KIND:
        _check([webps.size(data)], max_pixels)
        return WebPImageFile(BytesIO(data))
    # Not Pillow's open(): it knows formats by the dozen, and judges sizes by a setting of the process.
    for opens, (beginnings, checks) in _FORMATS.items():
        if data.startswith(beginnings):
            checks(data)
            file = opens(BytesIO(data))
            _check([file.size], max_pixels)
            if isinstance(file, TiffImageFile):
                _check([_tile(file)], max_pixels)
            return file
    raise ImageUnreadable("not a JPEG, PNG, WebP, BMP, GIF, TIFF or ICO file")


def _check(sizes: Iterable[tuple[int, int]], max_pixels: int) -> None:
    for width, height in sizes:
        if width * height > max_pixels:
            raise ImageTooLarge(
                f"the image is {width} x {height} pixels; send at most {max_pixels} pixels",
                width=width,
                height=height,
                max_pixels=max_pixels,
            )


def _tile(file: TiffImageFile) -> tuple[int, int]:
    """What a tile of it takes: it may be larger than the image, and is decoded whole."""
    tags = file.tag_v2
    return int(tags.get(TiffImagePlugin.TILEWIDTH, 0)), int(tags.get(TiffImagePlugin.TILELENGTH, 0))


def _orientation(exif: Callable[[], Pillow.Exif]) -> Orientation:
    try:
        return Orientation.of_tag(int(exif().get(ExifTags.Base.Orientation, 1)))
    except Exception:  # a damaged tag does not spoil a good image
        return Orientation()


def _exif(file: Pillow.Image) -> Pillow.Exif:
    """The camera's notes. Raises almost anything if they are damaged."""
    notes = file.info.get("exif", b"")
    if notes:  # of the form of a TIFF
        tiffs.check(notes.removeprefix(b"Exif\0\0"))
    return file.getexif()


def _rgb(file: Pillow.Image) -> Pixels:
    file.info.pop("transparency", None)  # alpha is dropped, and Pillow would warn of it
    if file.mode.startswith(("I", "F")):  # 16 bits a pixel or more; floats count as 0 to 255
        deep = np.asarray(file)
        levels = deep.clip(0, 255) if file.mode == "F" else deep.clip(0, 65535) / 257
        file = Pillow.fromarray(levels.astype(np.uint8))
    return np.asarray(file if file.mode == "RGB" else file.convert("RGB"))


# How a file begins, and what refuses it if there is so much to it that Pillow would be busy for long.
_FORMATS: dict[type[ImageFile], tuple[tuple[bytes, ...], Callable[[bytes], None]]] = {
    JpegImageFile: ((jpegs.BEGINNING,), lambda _: None),  # which was checked before
    PngImageFile: ((pngs.BEGINNING,), pngs.check),
    BmpImageFile: ((b"BM",), lambda _: None),
    GifImageFile: (gifs.BEGINNINGS, gifs.check),
    TiffImageFile: (tiffs.BEGINNINGS, tiffs.check),
}
