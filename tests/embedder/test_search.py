"""Which faces are answered: large ones alone, or the whole image."""

import numpy as np
import pytest
from PIL import Image

from embedder.alignment import fit
from embedder.detector import Faces
from embedder.search import Search, chosen
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.embedder.conftest import Serving, saved

EVERYTHING = [number for number in face_pb2.FaceOutput.values() if number]


@pytest.fixture
def both(portrait: Image.Image) -> bytes:
    """A small face at the left, a large one at the right."""
    image = Image.new("RGB", (500, 320))
    image.paste(portrait.resize((100, 125)), (0, 0))
    image.paste(portrait, (240, 0))
    return saved(image)


async def test_small_faces_are_left_out(embedder: EmbedderServiceStub, both: bytes) -> None:
    large, small = (await embedder.Analyze(pb.AnalyzeRequest(image=both))).faces
    for size, left in (
        (0, 2),
        (int(small.box.width), 2),
        (int(small.box.width) + 1, 1),
        (int(small.box.height), 1),  # high enough, and still too narrow
        (int(large.box.width), 1),
        (int(large.box.width) + 1, 0),
        (2**32 - 1, 0),
    ):
        answer = await embedder.Analyze(pb.AnalyzeRequest(image=both, min_face_size=size, outputs=EVERYTHING))
        assert [round(face.box.left) for face in answer.faces] == [
            round(face.box.left) for face in (large, small)[:left]
        ]
        assert all(face.HasField("age") and len(face.embedding) == 128 for face in answer.faces)


async def test_small_faces_do_not_count(embedder: EmbedderServiceStub, both: bytes) -> None:
    for size, most, left in ((0, 1, 1), (1000, 1, 0), (10, 2, 2), (10, 1, 1), (0, 9, 2)):
        request = pb.AnalyzeRequest(image=both, min_face_size=size, max_faces=most)
        assert len((await embedder.Analyze(request)).faces) == left
    boxes = np.array(
        [[0, 0, 20, 900], [5, 5, 50, 60], [7, 7, 40, 50]], np.float32
    )  # the largest is too narrow
    faces = Faces(boxes, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    kept = chosen(faces, Search(max_faces=1, min_face_size=30))
    assert kept.boxes.tolist() == [boxes[1].tolist()]


async def test_sizes_are_in_pixels_of_the_file_however_much_the_detector_shrinks_it(
    serving: Serving, portrait: Image.Image
) -> None:
    large = saved(portrait.resize((portrait.width * 13, portrait.height * 13)))
    async with serving(max_pixels=50_000_000) as stub:
        (face,) = (await stub.Analyze(pb.AnalyzeRequest(image=large))).faces
        for size, left in ((int(face.box.width), 1), (int(face.box.width) + 1, 0)):
            request = pb.AnalyzeRequest(image=large, min_face_size=size)
            assert len((await stub.Analyze(request)).faces) == left


async def test_a_whole_image_is_its_one_face(embedder: EmbedderServiceStub, both: bytes) -> None:
    request = pb.AnalyzeRequest(image=both, whole_image=True, outputs=EVERYTHING, max_faces=3, min_score=1)
    answer = await embedder.Analyze(request)
    (face,) = answer.faces
    assert face.box == face_pb2.Box(left=0, top=0, width=500, height=320)
    assert face.score == 1
    assert not face.HasField("landmarks")
    assert not face.HasField("pose")
    assert len(face.chip) == 150 * 150 * 3
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert face.HasField("age")
    assert face.HasField("gender")
    assert not face.HasField("mask")  # it is told by what is around a face
    assert [step.name for step in answer.steps] == ["recogniser", "age", "gender", "quality"]


async def test_an_aligned_face_is_embedded_as_where_it_was_found(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    outputs = [face_pb2.FACE_OUTPUT_EMBEDDING, face_pb2.FACE_OUTPUT_CHIP]
    (found,) = (await embedder.Analyze(pb.AnalyzeRequest(image=saved(portrait), outputs=outputs))).faces
    chip = Image.frombytes("RGB", (150, 150), found.chip)
    for size, likeness in ((150, 1 - 1e-6), (300, 0.995), (600, 0.995)):
        image = saved(chip.resize((size, size)), "PNG")
        request = pb.AnalyzeRequest(image=image, whole_image=True, outputs=outputs)
        (whole,) = (await embedder.Analyze(request)).faces
        assert np.dot(whole.embedding, found.embedding) > likeness
        assert size > 150 or whole.chip == found.chip


async def test_a_whole_image_is_upright_and_in_pixels_of_the_file(
    serving: Serving, portrait: Image.Image
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    large = portrait.resize((portrait.width * 13, portrait.height * 13)).transpose(Image.Transpose.ROTATE_90)
    async with serving(max_pixels=50_000_000) as stub:
        request = pb.AnalyzeRequest(image=saved(large, exif=exif), whole_image=True)
        (face,) = (await stub.Analyze(request)).faces
    assert face.box == face_pb2.Box(left=0, top=0, width=large.height, height=large.width)


async def test_an_image_smaller_than_asked_for_is_no_face_either(
    embedder: EmbedderServiceStub, both: bytes
) -> None:
    for size, left in ((320, 1), (321, 0)):
        request = pb.AnalyzeRequest(image=both, whole_image=True, min_face_size=size, outputs=EVERYTHING)
        assert len((await embedder.Analyze(request)).faces) == left


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (63, 65), (150, 150), (601, 602)])
def test_an_image_of_any_size_fits_and_keeps_its_mean(size: tuple[int, int]) -> None:
    chequered = np.indices(size).sum(0) % 2 * 200
    chip = fit(np.repeat(chequered[:, :, None], 3, 2).astype(np.uint8), 64)
    assert chip.shape == (64, 64, 3)
    assert chip.mean() == pytest.approx(chequered.mean(), abs=5)
    if max(size) > 500:  # what is shrunk is averaged, not sampled
        assert chip.std() < 20
