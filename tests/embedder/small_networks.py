"""Networks with the inputs and outputs of real ones, small enough to be written down and computed by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Floats = np.ndarray[Any, np.dtype[np.float32]]

DIMENSION = 24
CELL = 8  # pixels that a recogniser of ours averages over


def weights(side: int) -> Floats:
    """What a recogniser of ours, for chips of this side, multiplies their averages with."""
    count = 3 * (side // CELL) ** 2
    return np.random.default_rng(1).normal(0, 0.1, (count, DIMENSION)).astype(np.float32)


def embedded(chips: np.ndarray[Any, Any], mean: list[float], deviation: float) -> Floats:
    """By hand, what such a recogniser makes of (n, side, side, 3) chips: unit vectors."""
    side = chips.shape[1]
    cells = side // CELL
    scaled = (chips.astype(np.float64) - mean) / deviation
    kept = scaled[:, : cells * CELL, : cells * CELL]
    averages = kept.reshape(-1, cells, CELL, cells, CELL, 3).mean((2, 4))
    rows = averages.transpose(0, 3, 1, 2).reshape(len(chips), -1) @ weights(side)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recogniser(
    path: Path,
    side: int = 112,
    *,
    batch: int | str = "N",
    takes_bytes: bool = False,
    channels_last: bool = False,
    extra: bool = False,
    size: int | str | None = None,
    reshape: list[int] | None = None,
    stubborn: bool = False,
    mixes: bool = False,
) -> Path:
    """Writes one that averages cells and projects them.

    `extra` adds an output of each embedding's length, as some exporters do; `size` is what the file says of
    the chips' sides, `reshape` how it flattens. A stubborn one cannot take several faces, however it is
    converted; one that mixes answers of each what the others have to do with.
    """
    shown = side if size is None else size
    shape = [batch, shown, shown, 3] if channels_last else [batch, 3, shown, shown]
    kind = TensorProto.UINT8 if takes_bytes else TensorProto.FLOAT
    nodes, last = [], "data"
    if takes_bytes:
        nodes.append(helper.make_node("Cast", [last], ["cast"], to=TensorProto.FLOAT))
        last = "cast"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [last], ["turned"], perm=[0, 3, 1, 2]))
        last = "turned"
    sizes = {"kernel_shape": [CELL, CELL], "strides": [CELL, CELL]}
    nodes.append(helper.make_node("AveragePool", [last], ["cells"], **sizes))
    if stubborn:
        nodes.append(helper.make_node("Concat", ["one", "rest"], ["flat"], axis=0))
    nodes.append(helper.make_node("Reshape", ["cells", "flat"], ["row"]))
    if mixes:
        nodes.append(helper.make_node("CumSum", ["row", "first"], ["mixed"]))
    nodes.append(helper.make_node("MatMul", ["mixed" if mixes else "row", "weights"], ["fc1"]))
    outputs = [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [batch, DIMENSION])]
    if extra:
        nodes.append(helper.make_node("ReduceL2", ["fc1"], ["norm"], axes=[1]))
        outputs.insert(0, helper.make_tensor_value_info("norm", TensorProto.FLOAT, [batch, 1]))
    constants: dict[str, Any] = {"weights": weights(side)}
    if stubborn:
        constants |= {"one": np.array([1]), "rest": np.array([-1])}
    else:
        constants["flat"] = np.array(reshape or [-1, len(weights(side))], np.int64)
    if mixes:
        constants["first"] = np.array(0)
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("data", kind, shape)],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return saved(graph, path)


def saved(graph: Any, path: Path) -> Path:
    """Writes a model of this graph."""
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path
