"""From the bytes of an image file to upright pixels."""

from collections.abc import Iterable
from io import BytesIO
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags
from PIL import Image as Pillow
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from embedder import icons
from serving.faults import ImageTooLarge, ImageUnreadable

# A JPEG with at least twice this many pixels along its longer side is decoded at a half, a quarter or an
# eighth of its size, which takes half the time and a fraction of the memory. The smallest face that the
# detector finds is 45 pixels wide then.
ENOUGH = 1920


class Image(NamedTuple):
    """An upright image: its EXIF orientation has been applied."""

    pixels: npt.NDArray[np.uint8]  # (rows, columns, 3) RGB; may be fewer than the file has, see ENOUGH
    width: int  # of the image in the file, in pixels
    height: int


def decode(data: bytes, max_pixels: int) -> Image:
    """Reads a JPEG, PNG, WebP, BMP, GIF (first frame), TIFF (first page) or ICO (largest); drops alpha.

    Raises ImageUnreadable, and ImageTooLarge, before decoding, if there are more than `max_pixels`.
    """
    if not data:
        raise ImageUnreadable("the image is empty")
    try:
        return _upright(_opened(data, max_pixels))
    except (ImageUnreadable, ImageTooLarge):
        raise
    except Exception as error:  # decoders raise almost anything at bytes that are not what they claim
        raise ImageUnreadable("the image cannot be decoded: it is damaged or cut off") from error


def _opened(data: bytes, max_pixels: int) -> Pillow.Image:
    """The image with its header read, and no more."""
    if data.startswith(b"\0\0\1\0"):
        _check(icons.sizes(data), max_pixels)
        return icons.largest(data)
    # Not Pillow's open(): it knows formats by the dozen, and judges sizes by a setting of the process.
    for opens, beginnings in _FORMATS.items():
        if data.startswith(beginnings) and (opens is not WebPImageFile or data[8:12] == b"WEBP"):
            file = opens(BytesIO(data))
            _check([file.size], max_pixels)
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


def _upright(file: Pillow.Image) -> Image:
    width, height = file.size
    if shrink := max(file.size) // ENOUGH:
        file.draft(None, (max(1, width // shrink), max(1, height // shrink)))
    size = file.size
    file.load()
    if file.size != size:  # Pillow has turned a TIFF already
        width, height = height, width
    orientation = _orientation(file)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    image = _rgb(file)
    turned = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
    return Image(np.asarray(turned), width, height)


def _orientation(file: Pillow.Image) -> int:
    try:
        return int(file.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged tag does not spoil a good image
        return 1


def _rgb(file: Pillow.Image) -> Pillow.Image:
    file.info.pop("transparency", None)  # alpha is dropped, and Pillow would warn of it
    if file.mode.startswith(("I", "F")):  # 16 bits a pixel or more; floats count as 0 to 255
        deep = np.asarray(file)
        levels = deep.clip(0, 255) if file.mode == "F" else deep.clip(0, 65535) / 257
        file = Pillow.fromarray(levels.astype(np.uint8))
    return file.convert("RGB")


_FORMATS: dict[type[ImageFile], tuple[bytes, ...]] = {
    JpegImageFile: (b"\xff\xd8\xff",),
    PngImageFile: (icons.PNG,),
    WebPImageFile: (b"RIFF",),
    BmpImageFile: (b"BM",),
    GifImageFile: (b"GIF87a", b"GIF89a"),
    TiffImageFile: (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}

_TURNS = {  # by EXIF orientation, what makes upright
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
