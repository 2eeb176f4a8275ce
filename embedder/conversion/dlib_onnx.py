"""Writes dlib's face recognition network as ONNX."""

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from embedder.conversion.dlib_format import Add, Affine, Convolution, Layer, Linear, Network, Pool, Relu, Tag

OPSET = 17
IR_VERSION = 8


def to_onnx(network: Network) -> onnx.ModelProto:
    """A model from `chips`, [N, size, size, 3] uint8 RGB, to `embedding`, [N, dimension] float32.

    An embedding is what dlib computes: not of norm 1.
    """
    graph = _Graph(network)
    for before, layer in pairwise([Relu(), *_folded(network.layers)]):
        graph.add(before, layer)
    return graph.finished()


def _folded(layers: list[Layer]) -> list[Layer]:
    """The same with what affine layers do done by the convolutions before them."""
    folded: list[Layer] = []
    for layer in layers:
        match folded[-1:], layer:
            case [Convolution(filters, bias, stride, padding)], Affine(gamma, beta):
                scaled = filters * gamma.reshape(-1, 1, 1, 1)
                folded[-1] = Convolution(scaled, bias * gamma + beta, stride, padding)
            case _:
                folded.append(layer)
    return folded


class _Graph:
    """The nodes so far, and what flows out of the last: its name and shape (channels, side)."""

    def __init__(self, network: Network) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._size = network.size
        self._shapes: dict[str, tuple[int, int]] = {}
        mean = np.array(network.mean, np.float32).reshape(1, 3, 1, 1)
        self._last = self._node("Cast", "chips", shape=(3, network.size), to=TensorProto.FLOAT)
        self._last = self._node("Transpose", self._last, perm=[0, 3, 1, 2])
        self._last = self._node("Sub", self._last, self._constant(mean))
        self._last = self._node("Div", self._last, self._constant(np.float32(256)))
        self._tags: list[str] = []  # of this residual block: what entered it, what its convolutions made

    def add(self, before: Layer, layer: Layer) -> None:
        channels, side = self._shapes[self._last]
        match layer:
            case Tag() if isinstance(before, Tag):  # a skip: back to what entered the block
                self._last = self._tags[0]
            case Tag():
                self._tags.append(self._last)
            case Convolution(filters, bias, stride, padding):
                shape = (len(filters), (side + 2 * padding - filters.shape[2]) // stride + 1)
                weights = (self._constant(filters), self._constant(bias))
                how = {"strides": [stride] * 2, "pads": [padding] * 4}
                self._last = self._node("Conv", self._last, *weights, shape=shape, **how)
            case Affine():
                raise ValueError("an affine layer comes after something else than a convolution")
            case Relu():
                self._last = self._node("Relu", self._last)
            case Add():
                self._last = self._sum(self._last, self._tags[-1])
                self._tags = []
            case Pool(_, 0, _):
                self._last = self._node("GlobalAveragePool", self._last, shape=(channels, 1))
            case Pool(largest, size, stride):
                shape = (channels, (side - size) // stride + 1)
                how = {"kernel_shape": [size] * 2, "strides": [stride] * 2}
                kind = "MaxPool" if largest else "AveragePool"
                self._last = self._node(kind, self._last, shape=shape, **how)
            case Linear(weights):
                flat = self._node("Flatten", self._last)
                self._last = self._node("MatMul", flat, self._constant(weights), shape=(weights.shape[1], 1))

    def finished(self) -> onnx.ModelProto:
        dimension, _ = self._shapes[self._last]
        self._nodes.append(helper.make_node("Identity", [self._last], ["embedding"]))
        size = self._size
        graph = helper.make_graph(
            self._nodes,
            "recogniser",
            [helper.make_tensor_value_info("chips", TensorProto.UINT8, ["N", size, size, 3])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])],
            self._constants,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="mien")
        onnx.checker.check_model(model, full_check=True)
        return model

    def _sum(self, one: str, other: str) -> str:
        shapes = self._shapes[one], self._shapes[other]
        shape = (max(s[0] for s in shapes), max(s[1] for s in shapes))
        return self._node("Add", self._padded(one, shape), self._padded(other, shape))

    def _padded(self, name: str, shape: tuple[int, int]) -> str:
        channels, side = (to - now for to, now in zip(shape, self._shapes[name], strict=True))
        if channels == side == 0:
            return name
        pads = np.array([0, 0, 0, 0, 0, channels, side, side], np.int64)
        return self._node("Pad", name, self._constant(pads), shape=shape)

    def _node(self, kind: str, *inputs: str, shape: tuple[int, int] | None = None, **how: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name, **how))
        self._shapes[name] = shape or self._shapes[inputs[0]]
        return name

    def _constant(self, values: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name
