"""Whether a face wears a mask: what `open` tells, and what a network of the user's own may."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from embedder.conversion import hdf5
from embedder.fetching.cache import default_cache
from embedder.mask import Wear, reading
from embedder.networks import load
from embedder.pack import Pack, read_pack
from embedder.pack_errors import PackInvalid
from embedder.preparation import prepare
from embedder.session import Session
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.embedder.conftest import PHOTOGRAPHS, Serving
from tests.embedder.conftest import saved as file_of
from tests.embedder.small_networks import recogniser, saved
from tests.photographs import photograph

SIDE = 112
MASK, AGE = face_pb2.FACE_OUTPUT_MASK, face_pb2.FACE_OUTPUT_AGE
TABLE = '[mask]\nnetwork = "mask.onnx"\nchip = "arcface112"\norder = ["with", "without", "incorrect"]'


def network(path: Path, *, softmax: bool = True, channels_last: bool = False, beliefs: int = 3) -> Path:
    """Writes one that believes in its first, second and third by how red, green and blue a chip is."""
    axis, shape = (1, [1, SIDE, SIDE, 3]) if channels_last else (2, [1, 3, SIDE, SIDE])
    nodes = [
        helper.make_node("ReduceMean", ["data"], ["colours"], axes=[axis, axis + 1], keepdims=0),
        helper.make_node("MatMul", ["colours", "weights"], ["scores"]),
        helper.make_node("Softmax" if softmax else "Identity", ["scores"], ["belief"]),
    ]
    weights = numpy_helper.from_array(np.eye(3, beliefs, dtype=np.float32), "weights")
    given = [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)]
    answered = [helper.make_tensor_value_info("belief", TensorProto.FLOAT, [1, beliefs])]
    return saved(helper.make_graph(nodes, "mask", given, answered, [weights]), path)


def pack_file(folder: Path, *lines: str, table: str = TABLE) -> str:
    """A pack file of the user's own, with such a table, whose recogniser is there."""
    recogniser(folder / "mine.onnx", SIDE)
    file = folder / "mine.toml"
    file.write_text("\n".join(['recogniser = "mine.onnx"', 'chip = "arcface112"', table, *lines]))
    return str(file)


def refused(folder: Path, table: str) -> str:
    """Why such a table is refused."""
    with pytest.raises(PackInvalid) as refusal:
        read_pack(pack_file(folder, table=table))
    return str(refusal.value)


@pytest.fixture
def cache(networks: dict[str, Path], tmp_path: Path) -> Path:
    """A cache that has all but what is the user's own."""
    return shutil.copytree(default_cache(), tmp_path / "cache", ignore=shutil.ignore_patterns("*.lock"))


def told(pack: Pack, cache: Path, *colours: tuple[int, int, int]) -> list[Any]:
    """What the pack's network makes of chips of these colours, all at once."""
    reader = load(pack, prepare(pack, cache)).mask
    assert reader
    return reader.look([np.full((SIDE, SIDE, 3), colour, np.uint8) for colour in colours])


async def worn(stub: EmbedderServiceStub, image: bytes) -> face_pb2.Mask:
    """What is told of the one face of an image."""
    (face,) = (await stub.Analyze(pb.AnalyzeRequest(image=image, outputs=[MASK]))).faces
    return face.mask


@pytest.mark.parametrize("name", PHOTOGRAPHS)
async def test_who_wears_none_is_told_so(embedder: EmbedderServiceStub, name: str) -> None:
    mask = await worn(embedder, photograph(name).read_bytes())
    assert mask.wear == face_pb2.MASK_WEAR_WITHOUT
    assert 0.5 < mask.probability <= 1


@pytest.mark.parametrize("colour", [(150, 195, 215), (235, 235, 238), (140, 190, 160)])
async def test_who_wears_one_that_is_drawn_is_told_so(
    embedder: EmbedderServiceStub, portrait: Image.Image, colour: tuple[int, int, int]
) -> None:
    (face,) = (await embedder.Analyze(pb.AnalyzeRequest(image=file_of(portrait, "PNG")))).faces
    left, top, width, height = face.box.left, face.box.top, face.box.width, face.box.height
    shape = [(0.08, 0.58), (0.5, 0.48), (0.92, 0.58), (0.88, 0.82), (0.65, 1.02), (0.35, 1.02), (0.12, 0.82)]
    drawn = portrait.copy()
    ImageDraw.Draw(drawn).polygon([(left + x * width, top + y * height) for x, y in shape], colour)
    assert (await worn(embedder, file_of(drawn, "PNG"))).wear == face_pb2.MASK_WEAR_WITH


def test_the_converted_network_is_the_one_that_was_published(networks: dict[str, Path]) -> None:
    """Its beliefs are those of a conversion by the file's own list of layers, with h5py."""
    images = np.random.default_rng(0).uniform(-1, 1, (3, 3, 224, 224)).astype(np.float32)
    (beliefs,) = Session(networks["mask"]).run(images)
    assert np.abs(beliefs[:, 0] - [0.10212866, 0.06876963, 0.13331287]).max() < 1e-4
    assert np.abs(beliefs.sum(1) - 1).max() < 1e-6


def test_what_is_no_file_of_weights_is_refused() -> None:
    for data in (b"", b"\x89PNG\r\n", b"\x89HDF\r\n\x1a\n\x02" + bytes(100)):
        with pytest.raises(ValueError, match="no HDF5 file of the kind that Keras writes"):
            hdf5.read(data)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_network_of_the_users_own_is_fed_and_read_as_its_table_says(
    tmp_path: Path, cache: Path, channels_last: bool
) -> None:
    network(tmp_path / "mask.onnx", channels_last=channels_last)
    pack = read_pack(pack_file(tmp_path))
    red, green, blue = told(pack, cache, (255, 0, 0), (0, 255, 0), (0, 0, 255))
    assert [each.wear for each in (red, green, blue)] == [Wear.WITH, Wear.WITHOUT, Wear.INCORRECT]
    # Of scores 1, -1 and -1, which is what mean and deviation make of the colours.
    assert red.probability == pytest.approx(1 / (1 + 2 * np.exp(-2)), abs=1e-5)
    swapped = read_pack(pack_file(tmp_path, 'colours = "bgr"', "deviation = 255", "mean = [0, 0, 0]"))
    (other,) = told(swapped, cache, (255, 0, 0))
    assert other.wear is Wear.INCORRECT
    assert other.probability == pytest.approx(1 / (1 + 2 * np.exp(-1)), abs=1e-5)


def test_it_makes_no_other_model(tmp_path: Path) -> None:
    alone = read_pack(pack_file(tmp_path, table="")).name
    network(tmp_path / "mask.onnx")
    assert read_pack(pack_file(tmp_path)).name == alone


async def test_what_it_tells_is_answered_only_if_it_is_asked_for(
    tmp_path: Path, cache: Path, serving: Serving, portrait: Image.Image
) -> None:
    network(tmp_path / "mask.onnx")
    pack = read_pack(pack_file(tmp_path))
    image = file_of(portrait, "PNG")
    async with serving(pack=pack, networks=load(pack, prepare(pack, cache))) as stub:
        asked, silent, whole = [
            await stub.Analyze(pb.AnalyzeRequest(image=image, outputs=outputs, whole_image=whole))
            for outputs, whole in (((MASK, AGE), False), ((AGE,), False), ((MASK, AGE), True))
        ]
        can = [step.name for step in (await stub.GetModel(pb.GetModelRequest())).steps]
    assert asked.faces[0].mask.wear
    assert 0.3 < asked.faces[0].mask.probability < 1
    assert all(answer.faces[0].HasField("age") for answer in (asked, silent, whole))
    assert not silent.faces[0].HasField("mask")
    assert not whole.faces[0].HasField("mask")  # it looks at what is around a face
    steps = {step.name: step.version for step in asked.steps}
    assert list(steps)[-2:] == ["age", "mask"]
    assert steps["mask"].startswith(f"{pack.name}/mask@")
    assert "mask" in can


@pytest.mark.parametrize("order", [("without", "with"), ("with", "without")])
def test_of_two_the_likelier_has_half_of_the_belief_at_least(order: tuple[str, str]) -> None:
    wear, probability = reading(order)(np.array([0.25, 0.75], np.float32))
    assert (wear.value, probability) == (order[1], 0.75)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"softmax": False}, r"mask\.onnx answers no beliefs, whose sum is 1: let it end with a softmax"),
        ({"beliefs": 2}, r"mask\.onnx answers belief: float \[1, 2\]; its beliefs are \[N, 3\]"),
    ],
)
def test_a_network_that_answers_something_else_is_refused(
    tmp_path: Path, cache: Path, how: dict[str, Any], says: str
) -> None:
    network(tmp_path / "mask.onnx", **how)
    with pytest.raises(PackInvalid, match=says):
        prepare(read_pack(pack_file(tmp_path)), cache)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('mask = "mask.onnx"', "mask = 'mask.onnx' must be a table: [mask]"),
        ("[mask]", "mask: network is missing: the path of an ONNX file"),
        (TABLE.replace("112", "113"), "mask: chip = 'arcface113' must be arcface112 or dlib150 or dlib64"),
        (TABLE.replace("incorrect", "with"), "must be what each number means: some of without, with, incorr"),
        (TABLE.replace("incorrect", "beard"), "must be what each number means"),
        (TABLE + '\nfoo = "bar"', "mask: there is no foo; that table has network, chip, order, mean"),
        (TABLE.replace("mask.onnx", "nix.onnx"), "nix.onnx cannot be read: No such file"),
        (TABLE + "\ndeviation = 0", "mask: deviation = 0 must be a positive number"),
    ],
)
def test_a_table_that_says_something_else_is_refused(tmp_path: Path, table: str, says: str) -> None:
    network(tmp_path / "mask.onnx")
    assert says in refused(tmp_path, table)
