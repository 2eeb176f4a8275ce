"""What is rounded in a network of which some ranges are known, and what is not."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from embedder.conversion.quantisation import quantised

RANGES = {"data": (0.0, 1.0), "first": (0.0, 4.0), "second": (-4.0, 4.0)}


@pytest.fixture
def model() -> onnx.ModelProto:
    """A residual block: two convolutions, a Relu after the first, and a sum. No bias in the second."""
    random = np.random.default_rng(0)
    constants = {
        "one": random.normal(0, 0.2, (4, 4, 3, 3)).astype(np.float32),
        "bias": random.normal(0, 0.2, 4).astype(np.float32),
        "other": random.normal(0, 0.2, (4, 4, 3, 3)).astype(np.float32),
    }
    constants["other"][2] = 0  # a filter that has learnt nothing
    nodes = [
        helper.make_node("Conv", ["data", "one", "bias"], ["sums"], pads=[1] * 4),
        helper.make_node("Relu", ["sums"], ["first"]),
        helper.make_node("Conv", ["first", "other"], ["second"], pads=[1] * 4),
        helper.make_node("Add", ["second", "data"], ["answer"]),
    ]
    shape = ["N", 4, 6, 6]
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, data: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"data": data})
    return answer  # type: ignore[no-any-return]


def rounded(model: onnx.ModelProto) -> list[str]:
    return [node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def test_convolutions_with_ranges_compute_in_integers(model: onnx.ModelProto) -> None:
    data = np.random.default_rng(1).random((5, 4, 6, 6), np.float32)
    new = quantised(copied(model), RANGES)
    assert rounded(new) == ["data", "first", "second"]
    weights = {each.name: numpy_helper.to_array(each) for each in new.graph.initializer}
    assert {values.dtype for values in weights.values() if values.ndim == 4} == {np.dtype(np.int8)}
    difference = np.abs(run(new, data) - run(model, data))
    assert 0 < difference.max() < 0.06  # a few steps of 8 / 255


def test_sums_of_residual_blocks_are_of_what_was_not_rounded(model: onnx.ModelProto) -> None:
    new = quantised(model, RANGES)
    (added,) = (node for node in new.graph.node if node.op_type == "Add")
    assert list(added.input) == ["second_rounded", "data"]


def test_a_convolution_with_half_of_its_ranges_stays_as_it_is(model: onnx.ModelProto) -> None:
    data = np.random.default_rng(1).random((5, 4, 6, 6), np.float32)
    for names in (["data"], ["first"], ["data", "second"]):
        new = quantised(copied(model), {name: RANGES[name] for name in names})
        assert rounded(new) == []
        assert (run(new, data) == run(model, data)).all()


def test_a_sum_that_others_read_too_is_not_taken_for_its_relu(model: onnx.ModelProto) -> None:
    model.graph.node[3].input[1] = "sums"
    assert rounded(quantised(copied(model), RANGES)) == ["first", "second"]
    assert rounded(quantised(model, {**RANGES, "sums": (-4.0, 4.0)})) == ["data", "sums", "first", "second"]


def test_ranges_of_another_network_are_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ValueError, match="ranges of nowhere, and no such tensors"):
        quantised(model, {"nowhere": (0.0, 1.0)})
