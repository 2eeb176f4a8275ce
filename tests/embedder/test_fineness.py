"""Photographs are decoded with as many pixels as their faces are worth, and answered as if with all."""

import numpy as np
import pytest
from PIL import Image

from embedder import finder
from embedder.images import Image as Decoded
from embedder.images import decode
from embedder.orientation import Orientation
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from tests.embedder.conftest import Serving, saved
from tests.photographs import photograph

MAX_PIXELS = 50_000_000
FACE = (2403, 3001)  # pixels of a photograph whose face has 770


@pytest.fixture(scope="module")
def large() -> Image.Image:
    with Image.open(photograph("obama")) as file:
        return file.convert("RGB").resize(FACE, Image.Resampling.LANCZOS)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the pixels were halved, each time that the embedder decodes."""
    times: list[int] = []

    def noted(*how: object) -> Decoded:
        image = decode(*how)  # type: ignore[arg-type]
        times.append(image.halvings)
        return image

    monkeypatch.setattr(finder, "decode", noted)
    return times


async def analyzed(serving: Serving, file: bytes) -> pb.AnalyzeResponse:
    outputs = [face_pb2.FACE_OUTPUT_EMBEDDING, face_pb2.FACE_OUTPUT_CHIP]
    async with serving(max_pixels=MAX_PIXELS) as stub:
        return await stub.Analyze(pb.AnalyzeRequest(image=file, outputs=outputs))


@pytest.mark.parametrize(("side", "halvings"), [(1279, 0), (1280, 1), (2563, 2), (20001, 3)])
def test_a_photograph_is_halved_while_its_longer_side_keeps_enough(side: int, halvings: int) -> None:
    image = decode(saved(Image.new("RGB", (601, side), "gray")), MAX_PIXELS, 640)
    assert (image.width, image.height, image.halvings) == (601, side, halvings)
    assert image.pixels.shape[:2] == (-(-side // 2**halvings), -(-601 // 2**halvings))


@pytest.mark.parametrize(("kind", "how"), [("PNG", {}), ("JPEG", {"progressive": True})])
def test_it_is_not_where_that_takes_as_long(kind: str, how: dict[str, bool]) -> None:
    image = decode(saved(Image.new("RGB", FACE), kind, **how), MAX_PIXELS, 640)
    assert (image.halvings, image.pixels.shape) == (0, (*FACE[::-1], 3))


@pytest.mark.parametrize("tag", [1, 2, 6, 7])
async def test_a_large_face_is_the_same_of_fewer_pixels(
    serving: Serving, large: Image.Image, decoded: list[int], tag: int
) -> None:
    lying = Image.fromarray(np.ascontiguousarray(Orientation.of_tag(tag).lying(np.asarray(large))))
    exif = Image.Exif()
    exif[0x0112] = tag
    few = await analyzed(serving, saved(lying, quality=95, exif=exif))
    every = await analyzed(serving, saved(large, quality=95, progressive=True))
    assert decoded == [2, 0]
    assert (few.width, few.height) == (every.width, every.height) == FACE
    (one,), (other,) = few.faces, every.faces
    assert np.dot(one.embedding, other.embedding) > 0.998
    eyes = other.landmarks.right_eye.x - other.landmarks.left_eye.x
    for eye in ("left_eye", "right_eye", "nose"):
        here, there = (getattr(each.landmarks, eye) for each in (one, other))
        assert np.hypot(here.x - there.x, here.y - there.y) < 0.03 * eyes
    assert abs(one.box.left - other.box.left) < 0.1 * eyes > abs(one.box.width - other.box.width)


@pytest.mark.parametrize(("height", "halvings"), [(350, [2, 0]), (1400, [2, 1]), (2400, [2])])
async def test_smaller_faces_have_all_the_pixels_that_their_chips_can_show(
    serving: Serving, large: Image.Image, decoded: list[int], height: int, halvings: list[int]
) -> None:
    image = Image.new("RGB", FACE, "gray")
    image.paste(large.resize((height * 4 // 5, height), Image.Resampling.LANCZOS), (200, 500))
    (one,) = (await analyzed(serving, saved(image, quality=95))).faces
    assert decoded == halvings
    (other,) = (await analyzed(serving, saved(image, quality=95, progressive=True))).faces
    assert np.dot(one.embedding, other.embedding) > 0.99
    sharp, as_sharp = (np.frombuffer(each.chip, np.uint8).astype(float).std() for each in (one, other))
    assert sharp == pytest.approx(as_sharp, rel=0.05)
