"""Makes networks compute with 8-bit integers where it is known which numbers flow.

Each such tensor is rounded and read back (QuantizeLinear, DequantizeLinear), and so are the weights. Where
all around a convolution is, ONNX Runtime multiplies integers.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from embedder.conversion.ranges import Range

LARGEST = 127  # of a weight, as an integer
STEPS = 255  # from the least to the largest number of a range


def quantise(source: Path, target: Path, ranges: dict[str, Range]) -> None:
    """Writes the network `source` in this way to `target`."""
    onnx.save(quantised(onnx.load(source), ranges), target)


def quantised(model: onnx.ModelProto, ranges: dict[str, Range]) -> onnx.ModelProto:
    """The same model with integers in each convolution of which the ranges know what it takes and makes.

    It makes what its Relu does, if nothing else reads its sums. All the rest stays in single precision: also
    the sums of residual blocks, where what rounding costs would add up.
    """
    graph = model.graph
    made = {node.output[0]: node.output[0] for node in graph.node if node.op_type == "Conv"}
    readers = [name for node in graph.node for name in node.input]
    for node in graph.node:
        if node.op_type == "Relu" and node.input[0] in made and readers.count(node.input[0]) == 1:
            made[node.input[0]] = node.output[0]
    flowing = {name for node in graph.node for name in (*node.input, *node.output)}
    if strangers := sorted(set(ranges) - flowing):
        raise ValueError(f"there are ranges of {', '.join(strangers)}, and no such tensors")
    rewritten = _Graph(graph.initializer, ranges)
    for node in graph.node:
        rewritten.add(node, made.get(node.output[0]))
    del graph.node[:], graph.initializer[:]
    graph.node.extend(rewritten.nodes)
    used = {name for node in graph.node for name in node.input}
    graph.initializer.extend(each for each in rewritten.constants.values() if each.name in used)
    return model


class _Graph:
    """The nodes so far."""

    def __init__(self, constants: Any, ranges: dict[str, Range]) -> None:
        self.nodes: list[Any] = []
        self.constants = {each.name: each for each in constants}
        self._ranges = ranges
        self._rounded: dict[str, str] = {}  # by the name of a tensor, that of the same read back
        self._stand_in: set[str] = set()  # tensors in whose place everybody reads the rounded ones

    def add(self, node: Any, made: str | None) -> None:
        """Of a convolution it is known which tensor it makes."""
        if made in self._ranges and node.input[0] in self._ranges:
            self._stand_in.add(made)
            inputs = self._integers(node)
        else:
            inputs = [self._read(name) for name in node.input]
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        changed.input[:] = inputs
        self.nodes.append(changed)

    def _read(self, name: str) -> str:
        return self._round(name) if name in self._stand_in else name

    def _round(self, name: str) -> str:
        if name not in self._rounded:
            scale, zero = _step(self._ranges[name])
            how = [self._constant(f"{name}_scale", scale), self._constant(f"{name}_zero", zero)]
            integers, back = f"{name}_int", f"{name}_rounded"
            self.nodes.append(helper.make_node("QuantizeLinear", [name, *how], [integers]))
            self.nodes.append(helper.make_node("DequantizeLinear", [integers, *how], [back]))
            self._rounded[name] = back
        return self._rounded[name]

    def _integers(self, convolution: Any) -> list[str]:
        """Its input, filters and biases, read back from integers. Each filter has a scale of its own."""
        name = convolution.output[0]
        taken, *constants = convolution.input
        filters, *bias = (numpy_helper.to_array(self.constants[each]) for each in constants)
        largest = np.abs(filters).max((1, 2, 3))
        scale = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
        rounded = np.rint(filters / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
        inputs = [self._round(taken), self._integer(f"{name}_filters", rounded, scale)]
        for values in bias:
            fine = scale * _step(self._ranges[taken])[0]  # as the sums are
            inputs.append(self._integer(f"{name}_bias", np.rint(values / fine).astype(np.int32), fine))
        return inputs

    def _integer(self, name: str, values: npt.NDArray[Any], scale: npt.NDArray[np.float32]) -> str:
        zeros = np.zeros(len(scale), values.dtype)
        how = {"": values, "_scale": scale, "_zero": zeros}
        inputs = [self._constant(name + what, each) for what, each in how.items()]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_rounded"], axis=0))
        return f"{name}_rounded"

    def _constant(self, name: str, values: Any) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(values), name)
        return name


def _step(within: Range) -> tuple[np.float32, np.uint8]:
    """How much one integer is worth, and which is 0."""
    low, high = min(within[0], 0.0), max(within[1], 0.0)
    step = (high - low) / STEPS
    return np.float32(step), np.uint8(round(-low / step))
