"""A recogniser of the user's own, brought by a file of three lines."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embedder.fetching.cache import default_cache
from embedder.networks import Networks, load
from embedder.pack import Pack, read_pack
from embedder.pack_errors import PackInvalid
from embedder.preparation import prepare
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from tests.embedder.conftest import Serving, saved
from tests.embedder.small_networks import DIMENSION, embedded, recogniser

ARCFACE = ([127.5, 127.5, 127.5], 127.5)
DLIB = ([122.782, 117.001, 104.298], 256.0)
BYTES = ([0.0, 0.0, 0.0], 1.0)


@pytest.fixture
def cache(networks: dict[str, Path], tmp_path: Path) -> Path:
    """A cache that has all but what is the user's own."""
    return shutil.copytree(default_cache(), tmp_path / "cache", ignore=shutil.ignore_patterns("*.lock"))


def pack_file(folder: Path, *lines: str, chip: str = "arcface112") -> str:
    file = folder / "mine.toml"
    file.write_text("\n".join(['recogniser = "mine.onnx"', f'chip = "{chip}"', *lines]))
    return str(file)


def chips(side: int) -> list[Any]:
    return list(np.random.default_rng(5).integers(0, 256, (4, side, side, 3), np.uint8))


def looked_at(pack: Pack, cache: Path) -> list[Any]:
    """What the pack's recogniser makes of chips, all of them at once."""
    networks = load(pack, prepare(pack, cache))
    return networks.recogniser.look(chips(pack.chip_size))


@pytest.mark.parametrize(
    ("side", "how", "colours"),
    [
        (112, {}, ARCFACE),
        (112, {"batch": 1, "reshape": [1, -1]}, ARCFACE),
        (112, {"channels_last": True}, ARCFACE),
        (112, {"size": "side"}, ARCFACE),
        (112, {"extra": True}, ARCFACE),
        (150, {}, DLIB),
        (150, {"takes_bytes": True, "channels_last": True}, BYTES),
        (112, {"takes_bytes": True, "batch": 1, "reshape": [1, -1]}, BYTES),
    ],
)
def test_a_network_is_fed_as_it_was_made_to_be(
    tmp_path: Path, cache: Path, side: int, how: dict[str, Any], colours: tuple[list[float], float]
) -> None:
    recogniser(tmp_path / "mine.onnx", side, **how)
    pack = read_pack(pack_file(tmp_path, chip="arcface112" if side == 112 else "dlib150"))
    assert (pack.chip_size, pack.dimension) == (side, DIMENSION)
    expected = embedded(np.stack(chips(side)), *colours)
    assert np.abs(np.array(looked_at(pack, cache)) - expected).max() < 1e-5


def test_colours_are_those_the_file_names(tmp_path: Path, cache: Path) -> None:
    recogniser(tmp_path / "mine.onnx")
    lines = ("mean = [10, 20, 30]", "deviation = 64", 'colours = "bgr"')
    found = looked_at(read_pack(pack_file(tmp_path, *lines)), cache)
    expected = embedded(np.stack(chips(112))[..., ::-1], [30, 20, 10], 64)  # of blue, green and red
    assert np.abs(np.array(found) - expected).max() < 1e-5


def test_the_rest_is_that_of_open(tmp_path: Path) -> None:
    recogniser(tmp_path / "mine.onnx")
    pack, other = read_pack(pack_file(tmp_path)), read_pack("open")
    assert {name for name, each in pack.networks.items() if each != other.networks[name]} == {"recogniser"}
    assert (pack.detection.kind, pack.detection.min_score) == ("yunet+centerface", 0.5)
    assert pack.calibration == (1.2375747, 5.973354538)
    assert pack.detection.template[0].tolist() == [38.2946, 51.6963]
    told = pack_file(tmp_path, 'detector = "yunet"', "calibration = {threshold = 0.9, steepness = 7}")
    assert (read_pack(told).detection.kind, read_pack(told).calibration) == ("yunet", (0.9, 7))


def test_the_model_is_named_by_the_file_and_its_hash(tmp_path: Path) -> None:
    recogniser(tmp_path / "mine.onnx")
    first = read_pack(pack_file(tmp_path)).name
    assert re.fullmatch(r"mine@[0-9a-f]{8}-[0-9a-f]{4}", first)
    assert read_pack(pack_file(tmp_path, "calibration = {threshold = 1, steepness = 5}")).name == first
    assert read_pack(pack_file(tmp_path, 'name = "ours"')).name == first.replace("mine", "ours")
    # Whatever makes other embeddings makes another model.
    others = [
        read_pack(pack_file(tmp_path, line)).name
        for line in ('colours = "bgr"', "deviation = 128", "mean = [0, 0, 0]", 'detector = "yunet"')
    ]
    recogniser(tmp_path / "mine.onnx", batch=1)
    others.append(read_pack(pack_file(tmp_path)).name)
    assert len({first, *others}) == 6


def test_another_way_to_feed_a_file_is_not_taken_for_the_first(tmp_path: Path, cache: Path) -> None:
    recogniser(tmp_path / "mine.onnx")
    one = looked_at(read_pack(pack_file(tmp_path)), cache)
    other = looked_at(read_pack(pack_file(tmp_path, 'colours = "bgr"')), cache)
    assert np.abs(np.array(one) - other).max() > 0.01


def test_a_file_that_changes_under_way_is_refused(tmp_path: Path, cache: Path) -> None:
    recogniser(tmp_path / "mine.onnx")
    pack = read_pack(pack_file(tmp_path))
    recogniser(tmp_path / "mine.onnx", batch=1)
    with pytest.raises(Exception, match="changed since it was read"):
        prepare(pack, cache)


async def test_it_is_served_like_any_other(
    tmp_path: Path, cache: Path, serving: Serving, portrait: Image.Image
) -> None:
    recogniser(tmp_path / "mine.onnx")
    pack = read_pack(pack_file(tmp_path))
    networks = load(pack, prepare(pack, cache))
    outputs = (face_pb2.FACE_OUTPUT_EMBEDDING, face_pb2.FACE_OUTPUT_CHIP, face_pb2.FACE_OUTPUT_AGE)
    async with serving(pack=pack, networks=networks) as stub:
        answer = await stub.Analyze(pb.AnalyzeRequest(image=saved(portrait, "PNG"), outputs=outputs))
    (face,) = answer.faces
    assert (answer.model.name, answer.model.dimension, answer.model.chip_size) == (pack.name, DIMENSION, 112)
    chip = np.frombuffer(face.chip, np.uint8).reshape(1, 112, 112, 3)
    assert np.abs(np.array(face.embedding) - embedded(chip, *ARCFACE)[0]).max() < 1e-5
    assert face.HasField("age")
    versions = {step.name: step.version for step in answer.steps}
    assert versions["recogniser"].startswith(f"{pack.name}/mine@")


def test_a_real_network_brought_so_recognises_as_it_does_in_open(
    tmp_path: Path, cache: Path, networks: dict[str, Path], loaded: Networks
) -> None:
    shutil.copy(networks["recogniser"], tmp_path / "mine.onnx")
    found = looked_at(read_pack(pack_file(tmp_path, chip="dlib150")), cache)
    assert np.abs(np.array(found) - loaded.recogniser.look(chips(150))).max() < 1e-6


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"side": 160}, r"data: float \[N, 3, 160, 160\]; the chip has 112 x 112 pixels"),
        ({"side": 150}, "name another chip"),
        ({"batch": 8}, r"data: float \[8, 3, 112, 112\]; it must take any number of faces, or one"),
    ],
)
def test_a_network_that_takes_something_else_is_refused(
    tmp_path: Path, how: dict[str, Any], says: str
) -> None:
    recogniser(tmp_path / "mine.onnx", **how)
    with pytest.raises(PackInvalid, match=says):
        read_pack(pack_file(tmp_path))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"batch": 1, "stubborn": True}, r"cannot give mine\.onnx several faces at once: "),
        ({"mixes": True}, r"mine\.onnx answers otherwise when it is given several faces at once"),
        ({"reshape": [-1, 500]}, r"cannot run mine\.onnx: "),
    ],
)
def test_a_network_that_does_not_work_on_several_faces_is_refused(
    tmp_path: Path, cache: Path, how: dict[str, Any], says: str
) -> None:
    recogniser(tmp_path / "mine.onnx", **how)
    with pytest.raises(PackInvalid, match=says):
        prepare(read_pack(pack_file(tmp_path)), cache)
    assert not list((cache / "converted").glob("recogniser-*.new"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file"),
        (b"", r"mine\.onnx is no ONNX file"),
        (b"\xff\xd8 a photograph", r"mine\.onnx is no ONNX file"),
    ],
)
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "mine.onnx").write_bytes(content)
    with pytest.raises(PackInvalid, match=says):
        read_pack(pack_file(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recogniser", "is no TOML"),
        ('chip = "arcface112"', "recogniser is missing: the path of an ONNX file"),
        ('recogniser = "mine.onnx"', "chip is missing: arcface112 or dlib150"),
        ('recogniser = "mine.onnx"\nchip = "box96"', "chip = 'box96' must be arcface112 or dlib150"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\nmeen = 1', "there is no meen; a pack file has recogn"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\nmean = 1', r"must be \[red, green, blue\]"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\ndeviation = 0', "must be a positive number"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\ncolours = "cmyk"', "must be rgb or bgr"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\nname = "a b"', "must be a word"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\ndetector = "scrfd"', "or centerface or yunet"),
        ('recogniser = "mine.onnx"\nchip = "dlib150"\ncalibration = {threshold = 1}', "both positive"),
        ('recogniser = "mine.onnx"\nchip = "arcface112"\noutput = "nix"', r"answers fc1: float \[N, 24\]"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, says: str) -> None:
    recogniser(tmp_path / "mine.onnx")
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(PackInvalid, match=says):
        read_pack(str(tmp_path / "mine.toml"))


def test_bytes_have_no_mean(tmp_path: Path) -> None:
    recogniser(tmp_path / "mine.onnx", takes_bytes=True)
    with pytest.raises(PackInvalid, match="takes bytes as they are"):
        read_pack(pack_file(tmp_path, "mean = [0, 0, 0]"))


def test_a_pack_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackInvalid, match=r"nix\.toml cannot be read: No such file"):
        read_pack(str(tmp_path / "nix.toml"))
