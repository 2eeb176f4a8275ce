"""Draws what was found onto a photograph."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from mien.v1 import face_pb2

COLOUR = (255, 200, 0)


def annotate(photograph: Path, box: face_pb2.Box, label: str, to: Path) -> None:
    """Writes the upright photograph as a JPEG file, with a box and a label above it."""
    with Image.open(photograph) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    draw = ImageDraw.Draw(picture)
    size = max(picture.size) / 1000  # of a line that is seen at any resolution
    corners = (box.left, box.top, box.left + box.width, box.top + box.height)
    draw.rectangle(corners, outline=COLOUR, width=max(2, round(4 * size)))
    font = ImageFont.load_default(max(12, round(32 * size)))
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    x = min(max(0.0, box.left), max(0.0, picture.width - (right - left) - 8))
    y = max(0.0, box.top - (bottom - top) - 12 * size)
    draw.rectangle((x, y, x + right - left + 8, y + bottom - top + 8), fill=COLOUR)
    draw.text((x + 4 - left, y + 4 - top), label, fill=(0, 0, 0), font=font)
    to.parent.mkdir(parents=True, exist_ok=True)
    picture.save(to, "JPEG", quality=90)
