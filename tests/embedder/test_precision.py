"""The recogniser in 8-bit integers: how near it stays to single precision, and when it is taken."""

import asyncio
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from bench.disturbances import DISTURBANCES
from bench.pipeline import open_pipeline
from embedder.conversion.half import halve
from embedder.conversion.quantisation import quantise, quantised
from embedder.conversion.ranges import read_ranges
from embedder.detector import Pixels
from embedder.pack import Pack
from embedder.pack_errors import PrecisionUnusable
from embedder.precision import NEAR, choose
from embedder.preparation import IN_INT8
from embedder.recogniser import Recogniser
from embedder.session import Session
from embedder.settings import AUTO, FLOAT16, FLOAT32, INT8
from tests.embedder import small_networks
from tests.embedder.conftest import PHOTOGRAPHS
from tests.photographs import photograph


@pytest.fixture(scope="module")
def chips() -> list[Pixels]:
    """Faces of people who had no part in the ranges, found and cut as in service."""

    async def cut() -> list[Pixels]:
        async with open_pipeline() as pipeline:
            files = [photograph(name).read_bytes() for name in PHOTOGRAPHS]
            return [chip for file in files for chip in (await pipeline.analyze(file, chips=True)).chips]

    return asyncio.run(cut())


@pytest.fixture(scope="module")
def rounded(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recogniser in int8, as our conversion makes it today."""
    path = tmp_path_factory.mktemp("rounded") / "rounded.onnx"
    quantise(networks["recogniser"], path, read_ranges("dlib_ranges"))
    return path


@pytest.fixture(scope="module")
def slow(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recogniser at twice the work: to each embedding it adds nothing, of the mirrored chip's."""
    model = onnx.load(networks["recogniser"])
    graph = model.graph
    second = onnx.GraphProto()
    second.CopyFrom(graph)
    made = {name for node in graph.node for name in node.output}
    for node in second.node:
        node.input[:] = [f"again_{name}" if name in {*made, "chips"} else name for name in node.input]
        node.output[:] = [f"again_{name}" for name in node.output]
        node.name = f"again_{node.name}"
    for node in graph.node:
        node.output[:] = ["once" if name == "embedding" else name for name in node.output]
    for name, values in (("backwards", np.arange(149, -1, -1)), ("nothing", np.float32(0))):
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values), name))
    graph.node.append(helper.make_node("Gather", ["chips", "backwards"], ["again_chips"], axis=2))
    graph.node.extend(second.node)
    graph.node.append(helper.make_node("Mul", ["again_embedding", "nothing"], ["added"]))
    graph.node.append(helper.make_node("Add", ["once", "added"], ["embedding"]))
    path = tmp_path_factory.mktemp("slow") / "slow.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def coarse(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recogniser in int8 with ranges that are much too wide."""
    ranges = {name: (20 * low, 20 * high) for name, (low, high) in read_ranges("dlib_ranges").items()}
    path = tmp_path_factory.mktemp("coarse") / "coarse.onnx"
    onnx.save(quantised(onnx.load(networks["recogniser"]), ranges), path)
    return path


def forms(float32: Path, int8: Path) -> dict[str, Path]:
    return {"recogniser": float32, IN_INT8: int8}


def chosen(caplog: pytest.LogCaptureFixture, float32: Path, int8: Path, wanted: str) -> str:
    with caplog.at_level(logging.INFO):
        choose(forms(float32, int8), wanted, 150)
    (line,) = caplog.messages
    return line.split()[4]


@pytest.mark.parametrize("disturbed", DISTURBANCES)
def test_int8_moves_no_embedding_of_a_face_far(
    chips: list[Pixels], networks: dict[str, Path], rounded: Path, disturbed: str
) -> None:
    seen = [DISTURBANCES[disturbed](chip) for chip in chips]
    one, other = (
        np.array(Recogniser(Session(path)).embed(seen)) for path in (networks["recogniser"], rounded)
    )
    assert len(seen) >= len(PHOTOGRAPHS)
    assert np.sum(one * other, axis=1).min() >= NEAR
    assert np.abs(one - other).max() > 1e-4  # or else nothing was rounded


def test_in_int8_a_face_is_embedded_alike_alone_and_in_a_batch(chips: list[Pixels], rounded: Path) -> None:
    network = Session(rounded)
    (together,) = network.run(np.stack(chips))
    alone = np.concatenate([network.run(chip[None])[0] for chip in chips])
    assert np.abs(together - alone).max() <= 1e-6


def test_the_quicker_form_is_taken(
    networks: dict[str, Path], slow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(caplog, slow, networks["recogniser"], AUTO) == INT8
    caplog.clear()
    assert chosen(caplog, networks["recogniser"], slow, AUTO) == FLOAT32


def test_a_form_that_moves_embeddings_is_not_taken(
    networks: dict[str, Path], coarse: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(caplog, networks["recogniser"], coarse, AUTO) == FLOAT32
    with pytest.raises(PrecisionUnusable, match=r"moves embeddings too far, to a cosine of 0\.[89]"):
        choose(forms(networks["recogniser"], coarse), INT8, 150)


def test_what_is_asked_for_is_taken_however_slow(
    networks: dict[str, Path], slow: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert chosen(caplog, networks["recogniser"], slow, INT8) == INT8
    caplog.clear()
    choose(forms(slow, networks["recogniser"]), FLOAT32, 150)
    assert caplog.messages == []


def test_a_recogniser_without_ranges_stays_in_float32(tmp_path: Path) -> None:
    files = {"recogniser": small_networks.recogniser(tmp_path / "small.onnx")}
    choose(files, AUTO, 112)
    with pytest.raises(PrecisionUnusable, match="EMBEDDER_PRECISION=int8 cannot be: the model pack has no"):
        choose(files, INT8, 112)


def test_half_precision_is_for_gpus(networks: dict[str, Path]) -> None:
    with pytest.raises(PrecisionUnusable, match="EMBEDDER_PRECISION=float16 cannot be: it is not for a CPU"):
        choose(networks, FLOAT16, 150)


def test_half_precision_moves_no_embedding_far(
    chips: list[Pixels], networks: dict[str, Path], tmp_path: Path
) -> None:
    """On a CPU, which computes it as well; `test_device` asks a GPU, where there is one."""
    halve(networks["recogniser"], tmp_path / "half.onnx")
    one, other = (
        np.array(Recogniser(Session(path)).embed(chips))
        for path in (networks["recogniser"], tmp_path / "half.onnx")
    )
    assert np.sum(one * other, axis=1).min() >= 0.9999
    assert np.abs(one - other).max() > 1e-5  # or else nothing was rounded
    constants = onnx.load(tmp_path / "half.onnx").graph.initializer
    assert {each.data_type for each in constants if len(each.dims) == 4} == {onnx.TensorProto.FLOAT16}


def test_every_range_is_of_a_tensor_that_is_rounded(pack: Pack, networks: dict[str, Path]) -> None:
    name = pack.networks["recogniser"].ranges
    assert name
    nodes = onnx.load(networks[IN_INT8]).graph.node
    assert {node.input[0] for node in nodes if node.op_type == "QuantizeLinear"} == set(read_ranges(name))


def test_what_lies_in_the_cache_is_what_is_made_today(networks: dict[str, Path], rounded: Path) -> None:
    """If not, CONVERSION is to be raised."""
    assert onnx.load(networks[IN_INT8]) == onnx.load(rounded)
