"""Networks as anybody publishes them, made to take chips as they are cut: bytes, many at a time."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from embedder.conversion.batches import batched, inputs_of
from embedder.conversion.intake import Intake
from embedder.pack_errors import PackInvalid

OLDEST = 7  # opset: before it, arithmetic on tensors of different shapes was written otherwise
TYPES = {TensorProto.FLOAT: False, TensorProto.UINT8: True}  # what a network may take: whether it is bytes
CHIPS = "mien_chips"
SHORTEST = 16  # numbers of an embedding; an output of less is something else


class Seen(NamedTuple):
    """What a network takes and answers."""

    input: str
    takes_bytes: bool  # else single precision
    channels_last: bool
    output: str
    dimension: int


def look(path: Path, size: int, output: str | None = None, beliefs: int = 0) -> Seen:
    """How the network at `path` is to be fed chips of this size. Raises PackInvalid, and OSError."""
    return _look(_load(path), path.name, size, output, beliefs)


def taking_chips(path: Path, intake: Intake) -> onnx.ModelProto:
    """A model from chips, [N, size, size, 3] uint8 RGB, to their embeddings or beliefs, [N, dimension].

    Raises PackInvalid, and OSError.
    """
    model = _load(path)
    seen = _look(model, path.name, intake.size, intake.output, intake.beliefs)
    graph = model.graph
    nodes, constants = _entrance(seen, intake)
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    side = intake.size
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(CHIPS, TensorProto.UINT8, ["N", side, side, 3]))
    for each in [each for each in graph.output if each.name != seen.output]:
        graph.output.remove(each)
    return batched(model)


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, UnicodeDecodeError, ValueError):
        raise PackInvalid(f"{path.name} is no ONNX file") from None
    if not model.graph.node:
        raise PackInvalid(f"{path.name} is no ONNX file")
    if any(each.data_location == TensorProto.EXTERNAL for each in model.graph.initializer):
        raise PackInvalid(f"{path.name} keeps its weights in other files: save it as one file")
    opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST:
        raise PackInvalid(f"{path.name} is of ONNX opset {opset}: convert it to {OLDEST} or newer")
    return model


def _look(model: onnx.ModelProto, name: str, size: int, output: str | None, beliefs: int) -> Seen:
    inputs = inputs_of(model)
    if len(inputs) != 1:
        raise PackInvalid(f"{name} takes {len(inputs)} inputs; it must take one, a face")
    told = f"{name} takes {_told(inputs[0])}"
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in TYPES:
        raise PackInvalid(f"{told}; only float and uint8 are understood")
    shape = _shape(inputs[0])
    if len(shape) != 4 or (3 in shape[1:2]) == (3 in shape[3:]):
        raise PackInvalid(f"{told}; only [N, 3, {size}, {size}] and [N, {size}, {size}, 3] are understood")
    sides = shape[1:3] if shape[3] == 3 else shape[2:]
    if any(side not in (size, None) for side in sides):
        raise PackInvalid(f"{told}; the chip has {size} x {size} pixels: name another chip")
    if shape[0] not in (1, None):
        raise PackInvalid(f"{told}; it must take any number of faces, or one")
    answer = _answer(model, name, output, beliefs)
    dimension = _shape(answer)[-1]
    assert dimension
    return Seen(inputs[0].name, TYPES[kind], shape[3] == 3, answer.name, dimension)


def _answer(model: onnx.ModelProto, name: str, wanted: str | None, beliefs: int) -> Any:
    """The output that is the embedding, or holds so many beliefs."""
    outputs = [each for each in model.graph.output if wanted in (None, each.name)]
    shaped = [(each, _shape(each)) for each in outputs]
    good = [each for each, shape in shaped if len(shape) == 2 and _fits(shape[1] or 0, beliefs)]
    if len(good) == 1:
        return good[0]
    told = ", ".join(map(_told, model.graph.output))
    right = f"its beliefs are [N, {beliefs}]" if beliefs else "an embedding is [N, its length]"
    remedy = "name the right one as `output`" if len(good) > 1 else right
    raise PackInvalid(f"{name} answers {told}; {remedy}")


def _fits(length: int, beliefs: int) -> bool:
    return length == beliefs if beliefs else length >= SHORTEST


def _entrance(seen: Seen, intake: Intake) -> tuple[list[Any], list[Any]]:
    """The nodes that make chips what the network takes, and their constants."""
    mean = numpy_helper.from_array(_row(intake.mean[::-1] if intake.blue_first else intake.mean), "mien_mean")
    deviation = numpy_helper.from_array(_row((intake.deviation,)), "mien_deviation")
    backwards = numpy_helper.from_array(np.array([2, 1, 0], np.int64), "mien_backwards")
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    if intake.blue_first:
        steps.append(("Gather", [backwards.name], {"axis": 3}))
    if not seen.takes_bytes:
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        steps.append(("Sub", [mean.name], {}))
        steps.append(("Div", [deviation.name], {}))
    if not seen.channels_last:
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    steps.append(("Identity", [], {}))
    nodes, last = [], CHIPS
    for number, (kind, constants, how) in enumerate(steps, 1):
        result = seen.input if number == len(steps) else f"mien_{number}"
        nodes.append(helper.make_node(kind, [last, *constants], [result], f"mien_{kind}", **how))
        last = result
    return nodes, [mean, deviation, backwards]


def _row(values: tuple[float, ...]) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


def _shape(value: Any) -> list[int | None]:
    """None where a dimension may be anything."""
    return [each.dim_value or None for each in value.type.tensor_type.shape.dim]


def _told(value: Any) -> str:
    kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    return f"{value.name}: {kind} [{', '.join(str(each or 'N') for each in _shape(value))}]"
