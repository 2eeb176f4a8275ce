"""EmbedderService over a real channel, with the real networks."""

import asyncio
import io
import threading
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from embedder.alignment import align
from embedder.door import ANALYZE
from embedder.networks import Networks, load
from embedder.pack import read_pack
from embedder.pool import Pool
from embedder.refining import Refined
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.embedder.conftest import Serving, refusal, saved, unread
from tests.photographs import photograph

ALL = (face_pb2.FACE_OUTPUT_EMBEDDING, face_pb2.FACE_OUTPUT_CHIP)
TURNED = {  # by EXIF orientation, how the file's pixels lie
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


async def test_the_model_is_told(embedder: EmbedderServiceStub) -> None:
    model = (await embedder.GetModel(pb.GetModelRequest())).model
    assert (model.name, model.dimension, model.chip_size) == ("open", 128, 150)
    assert model.calibration.threshold > 0
    assert model.calibration.steepness > 0


async def test_an_image_becomes_its_faces(embedder: EmbedderServiceStub, portrait: Image.Image) -> None:
    answer = await embedder.Analyze(pb.AnalyzeRequest(image=saved(portrait), outputs=ALL))
    (face,) = answer.faces
    assert (answer.width, answer.height) == portrait.size
    assert answer.model.name == "open"
    assert (
        face.box.left
        < face.landmarks.left_eye.x
        < face.landmarks.right_eye.x
        < face.box.left + face.box.width
    )
    assert face.box.top < face.landmarks.nose.y < face.landmarks.left_mouth.y < face.box.top + face.box.height
    assert 0.8 < face.score <= 1
    assert len(face.embedding) == 128
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert len(face.chip) == 150 * 150 * 3


async def test_only_what_was_asked_for_is_answered(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    for outputs in ((), (face_pb2.FACE_OUTPUT_UNSPECIFIED,), ALL[:1], ALL[1:]):
        (face,) = (await embedder.Analyze(pb.AnalyzeRequest(image=saved(portrait), outputs=outputs))).faces
        assert bool(face.embedding) == (face_pb2.FACE_OUTPUT_EMBEDDING in outputs)
        assert bool(face.chip) == (face_pb2.FACE_OUTPUT_CHIP in outputs)


async def test_the_same_person_is_nearer_than_another(embedder: EmbedderServiceStub) -> None:
    rows = {}
    for name in ("obama", "obama2", "biden"):
        request = pb.AnalyzeRequest(image=photograph(name).read_bytes(), outputs=ALL[:1])
        rows[name] = np.array((await embedder.Analyze(request)).faces[0].embedding)
    assert rows["obama"] @ rows["obama2"] > 0.94
    assert rows["obama"] @ rows["biden"] < 0.88


async def test_orientation_changes_neither_boxes_nor_embeddings(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    faces = {}
    for orientation, turn in TURNED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = saved(portrait if turn is None else portrait.transpose(turn), "JPEG", quality=95, exif=exif)
        answer = await embedder.Analyze(pb.AnalyzeRequest(image=file, outputs=ALL[:1]))
        assert (answer.width, answer.height) == portrait.size
        (faces[orientation],) = answer.faces
    for face in faces.values():
        assert np.dot(face.embedding, faces[1].embedding) >= 0.999
        for side in ("left", "top", "width", "height"):
            assert getattr(face.box, side) == pytest.approx(getattr(faces[1].box, side), abs=2)


async def test_boxes_are_in_pixels_of_the_file_however_much_the_detector_shrinks_it(
    serving: Serving, portrait: Image.Image
) -> None:
    async with serving(max_pixels=50_000_000) as stub:
        faces = []
        for scale in (2, 13):  # 640 and 4160 pixels high
            size = (portrait.width * scale, portrait.height * scale)
            request = pb.AnalyzeRequest(image=saved(portrait.resize(size), quality=95), outputs=ALL[:1])
            answer = await stub.Analyze(request)
            assert (answer.width, answer.height) == size
            box, nose = answer.faces[0].box, answer.faces[0].landmarks.nose
            faces.append((answer.faces[0], np.array([box.left, box.top, box.width, nose.x, nose.y]) / scale))
    (small, at), (large, there) = faces
    assert np.abs(at - there).max() < 1
    assert np.dot(small.embedding, large.embedding) > 0.99


async def test_a_small_face_is_cut_out_of_all_the_pixels_of_a_large_photograph(
    serving: Serving, loaded: Networks
) -> None:
    with Image.open(photograph("obama")) as file:
        large = Image.new("RGB", (4000, 3000), "gray")
        large.paste(file.resize((364, 455)), (1503, 1201))
    data = saved(large, quality=92)
    async with serving(max_pixels=50_000_000) as stub:
        (face,) = (await stub.Analyze(pb.AnalyzeRequest(image=data, outputs=ALL))).faces
    landmarks = [[point.x, point.y] for _, point in face.landmarks.ListFields()]
    with Image.open(io.BytesIO(data)) as file:
        pixels = np.asarray(file)
    assert loaded.aligner
    (points,) = loaded.aligner.points(pixels, np.array([landmarks], np.float32))
    expected = align(pixels, points, read_pack("open").detection.template, 150)
    chip = np.frombuffer(face.chip, np.uint8).reshape(150, 150, 3)
    assert np.abs(chip.astype(int) - expected).max() <= 1


async def test_faces_come_by_size_and_no_more_than_asked_for(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    both = Image.new("RGB", (500, 320))
    both.paste(portrait.resize((100, 125)), (0, 0))
    both.paste(portrait, (240, 0))
    for most, left in ((0, [True, False]), (1, [True]), (2, [True, False]), (9, [True, False])):
        answer = await embedder.Analyze(pb.AnalyzeRequest(image=saved(both), max_faces=most, outputs=ALL[:1]))
        assert [face.box.left > 240 for face in answer.faces] == left
        assert all(len(face.embedding) == 128 for face in answer.faces)


async def test_no_face_is_an_answer(embedder: EmbedderServiceStub) -> None:
    answer = await embedder.Analyze(pb.AnalyzeRequest(image=saved(Image.new("RGB", (90, 60))), outputs=ALL))
    assert list(answer.faces) == []
    assert (answer.width, answer.height) == (90, 60)


@pytest.mark.parametrize("min_score", [-0.01, 1.01, float("nan"), float("inf")])
async def test_a_score_out_of_range_is_refused(
    embedder: EmbedderServiceStub, portrait: Image.Image, min_score: float
) -> None:
    code, reason, facts = await refusal(
        embedder.Analyze(pb.AnalyzeRequest(image=saved(portrait), min_score=min_score))
    )
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_ARGUMENT_INVALID")
    assert facts == {"field": "min_score"}


async def test_the_score_asked_for_is_the_bar(embedder: EmbedderServiceStub, portrait: Image.Image) -> None:
    image = saved(portrait)
    for min_score, faces in ((1.0, 0), (0.5, 1)):
        answer = await embedder.Analyze(pb.AnalyzeRequest(image=image, min_score=min_score))
        assert len(answer.faces) == faces


@pytest.mark.parametrize("kind", ["portrait", "noise"])
async def test_below_the_least_score_there_is_no_face_whatever_is_asked_for(
    embedder: EmbedderServiceStub, portrait: Image.Image, kind: str
) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
    image = saved({"portrait": portrait, "noise": noise}[kind], "PNG")
    all_, some = [
        await embedder.Analyze(pb.AnalyzeRequest(image=image, min_score=score)) for score in (0, 0.2)
    ]
    assert list(all_.faces) == list(some.faces)
    assert len(all_.faces) == (kind == "portrait")


async def test_bad_images_are_refused_with_their_reason(embedder: EmbedderServiceStub) -> None:
    code, reason, _ = await refusal(embedder.Analyze(pb.AnalyzeRequest(image=b"no image")))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_IMAGE_UNREADABLE")
    _, reason, _ = await refusal(embedder.Analyze(pb.AnalyzeRequest()))
    assert reason == "ERROR_REASON_IMAGE_UNREADABLE"
    large = saved(Image.new("RGB", (2001, 2000)), "PNG")
    code, reason, facts = await refusal(embedder.Analyze(pb.AnalyzeRequest(image=large)))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_IMAGE_TOO_LARGE")
    assert facts == {"width": "2001", "height": "2000", "max_pixels": "4000000"}


async def test_when_every_place_is_taken_a_call_is_refused_at_once(
    serving: Serving, portrait: Image.Image
) -> None:
    pool, go = Pool(threads=1, waiting=0, metrics=unread()), threading.Event()
    async with serving(pool) as stub:
        busy = asyncio.create_task(pool.run(go.wait, 5))
        await asyncio.sleep(0)
        request = pb.AnalyzeRequest(image=saved(portrait))
        code, reason, _ = await refusal(stub.Analyze(request, timeout=1))
        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_OVERLOADED")
        unsent = stub.channel.stream_unary(ANALYZE, pb.AnalyzeRequest.SerializeToString)  # type: ignore[attr-defined]
        code, reason, _ = await refusal(unsent(timeout=5))  # before the photograph has arrived
        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_OVERLOADED")
        go.set()
        await busy
        assert len((await stub.Analyze(request)).faces) == 1


async def test_whose_caller_has_gone_is_not_computed(
    serving: Serving, loaded: Networks, networks: dict[str, Path], portrait: Image.Image
) -> None:
    looked = []

    class Watched(Refined):
        def seek(self, *asked: Any) -> Any:
            looked.append(asked)
            return super().seek(*asked)

    pool, go = Pool(threads=1, waiting=3, metrics=unread()), threading.Event()
    async with serving(
        pool, loaded._replace(detector=Watched(networks["yunet"], networks["centerface"]))
    ) as stub:
        busy = asyncio.create_task(pool.run(go.wait, 5))
        request = pb.AnalyzeRequest(image=saved(portrait))
        with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE"):
            await stub.Analyze(request, timeout=0.1)
        gone = stub.Analyze(request)
        await asyncio.sleep(0.1)
        gone.cancel()
        await asyncio.sleep(0.1)
        go.set()
        await busy
        assert len((await stub.Analyze(request)).faces) == 1
    assert len(looked) == 1


async def test_calls_at_once_are_answered_as_alone(
    embedder: EmbedderServiceStub, portrait: Image.Image
) -> None:
    requests = [
        pb.AnalyzeRequest(image=saved(portrait.resize((200 + 8 * i, 250 + 10 * i))), outputs=ALL[:1])
        for i in range(8)
    ]
    together = await asyncio.gather(*(embedder.Analyze(request) for request in requests))
    for request, answer in zip(requests, together, strict=True):
        alone = (await embedder.Analyze(request)).faces[0]
        assert np.allclose(alone.embedding, answer.faces[0].embedding, atol=1e-6)


async def test_the_other_detector_serves_too(
    serving: Serving, embedder: EmbedderServiceStub, networks: dict[str, Path], portrait: Image.Image
) -> None:
    request = pb.AnalyzeRequest(image=saved(portrait), outputs=ALL[:1])
    (face,) = (await embedder.Analyze(request)).faces
    pack = read_pack("open", "yunet")
    async with serving(networks=load(pack, networks), pack=pack) as stub:
        (other,) = (await stub.Analyze(request)).faces
    assert np.dot(face.embedding, other.embedding) > 0.98
