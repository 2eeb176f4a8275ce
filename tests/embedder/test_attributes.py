"""Age, gender and pose over a real channel, with the real networks."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embedder.alignment import align
from embedder.detector import Detector, Pixels
from embedder.networks import Networks
from embedder.pack import Pack
from embedder.session import Session
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.embedder.conftest import PHOTOGRAPHS, Serving, saved
from tests.photographs import photograph

AGE, GENDER, POSE = (face_pb2.FACE_OUTPUT_AGE, face_pb2.FACE_OUTPUT_GENDER, face_pb2.FACE_OUTPUT_POSE)
FIELDS = {AGE: "age", GENDER: "gender", POSE: "pose"}


async def looked_at(stub: EmbedderServiceStub, image: bytes, *outputs: face_pb2.FaceOutput) -> face_pb2.Face:
    (face,) = (await stub.Analyze(pb.AnalyzeRequest(image=image, outputs=outputs))).faces
    return face


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_men_look_like_men_of_some_age(embedder: EmbedderServiceStub, name: str) -> None:
    face = await looked_at(embedder, photograph(name).read_bytes(), AGE, GENDER)
    assert face.gender.sex == face_pb2.SEX_MALE
    assert 0.9 < face.gender.probability <= 1
    assert 20 < face.age.low <= face.age.high <= 80
    assert 0.8 <= face.age.probability <= 1


async def test_an_older_man_looks_older(embedder: EmbedderServiceStub) -> None:
    obama, biden = [await looked_at(embedder, photograph(n).read_bytes(), AGE) for n in ("obama", "biden")]
    assert obama.age.high < 60 < biden.age.low


async def test_only_what_was_asked_for_is_told(embedder: EmbedderServiceStub, portrait: Image.Image) -> None:
    for outputs in ((), (AGE,), (GENDER,), (POSE,), (AGE, POSE), (AGE, GENDER, POSE)):
        face = await looked_at(embedder, saved(portrait), *outputs)
        assert {each for each, name in FIELDS.items() if face.HasField(name)} == set(outputs)
        assert not face.embedding
        assert not face.chip


async def test_what_the_pack_has_no_network_for_is_left_out(
    serving: Serving, pack: Pack, loaded: Networks, portrait: Image.Image
) -> None:
    files = {name: each for name, each in pack.networks.items() if name != "age"}
    without = replace(pack, age=None, networks=files)
    async with serving(pack=without, networks=loaded._replace(age=None)) as stub:
        request = pb.AnalyzeRequest(image=saved(portrait), outputs=(AGE, GENDER))
        answer = await stub.Analyze(request)
        assert [step.name for step in answer.steps] == ["detector", "aligner", "gender"]
        assert answer.faces[0].HasField("gender")
        assert not answer.faces[0].HasField("age")
        steps = (await stub.GetModel(pb.GetModelRequest())).steps
        names = ["detector", "aligner", "recogniser", "gender", "mask", "pose", "quality"]
        assert [step.name for step in steps] == names


async def test_faces_of_calls_at_once_are_told_as_alone(embedder: EmbedderServiceStub) -> None:
    asked = [(photograph(name).read_bytes(), AGE, GENDER) for name in PHOTOGRAPHS]
    alone = [await looked_at(embedder, *each) for each in asked]
    together = await asyncio.gather(*(looked_at(embedder, *each) for each in asked))
    for one, other in zip(alone, together, strict=True):
        assert (one.age.low, one.age.high, one.gender.sex) == (
            other.age.low,
            other.age.high,
            other.gender.sex,
        )
        assert one.gender.probability == pytest.approx(other.gender.probability, abs=1e-5)


async def test_networks_see_the_colours_they_learnt(
    networks: dict[str, Path], loaded: Networks, centerface: Detector
) -> None:
    chips: list[Pixels] = []
    assert loaded.gender
    for name in PHOTOGRAPHS:
        with Image.open(photograph(name)) as file:
            pixels = np.asarray(file.convert("RGB"))
        (landmarks,) = centerface.find(pixels, 0.5).landmarks
        chips.append(align(pixels, landmarks, loaded.gender.template, loaded.gender.chip_size))
    expected = (np.stack(chips).astype(np.float64) - [122.782, 117.001, 104.298]) / 256
    (beliefs,) = Session(networks["gender"]).run(expected.transpose(0, 3, 1, 2).astype(np.float32))
    told = [each.probability for each in loaded.gender.look(chips)]
    assert np.allclose(told, beliefs.max(1), atol=1e-5)
