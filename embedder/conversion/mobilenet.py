"""Makes ONNX of a MobileNetV2 that Keras saved, with two layers on top that classify, from its weights.

The file describes its layers too, but this is the one such network that a pack has, and its form has been
published: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks".
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from embedder.conversion.hdf5 import Weights

SIDE = 224
BLOCKS = 16
HALVING = (1, 3, 6, 13)  # the blocks after which there is a quarter of the pixels
EPSILON = 1e-3  # of Keras's batch normalisation here
OPSET, IR = 17, 8


def to_onnx(weights: Weights) -> onnx.ModelProto:
    """A model from images, [N, 3, 224, 224] with colours from -1 to 1, to beliefs, [N, classes]."""
    return _Graph(weights).model()


class _Graph:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, npt.NDArray[np.float32]] = {
            "zero": np.array(0, np.float32),
            "six": np.array(6, np.float32),
        }

    def model(self) -> onnx.ModelProto:
        last = self._convolution("images", "Conv1", "bn_Conv1", stride=2)
        last = self._convolution(last, "expanded_conv_depthwise")
        last = self._convolution(last, "expanded_conv_project", linear=True)
        for number in range(1, BLOCKS + 1):
            last = self._block(last, f"block_{number}", 2 if number in HALVING else 1)
        last = self._convolution(last, "Conv_1", "Conv_1_bn")
        last = self._add("GlobalAveragePool", "average", last)
        last = self._add("Flatten", "row", last)
        last = self._add("Relu", "hidden", self._dense(last, "dense"))
        last = self._add("Softmax", "beliefs", self._dense(last, "dense_1"))
        classes = self._constants["dense_1/bias"].shape[0]
        graph = helper.make_graph(
            self._nodes,
            "mobilenet",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["N", classes])],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)

    def _block(self, source: str, name: str, stride: int) -> str:
        """Wide, then by each channel alone, then narrow, beside a short cut if the shape is the same."""
        last = self._convolution(source, f"{name}_expand")
        last = self._convolution(last, f"{name}_depthwise", stride=stride)
        last = self._convolution(last, f"{name}_project", linear=True)
        wide, narrow = (self._constants[f"{name}_{part}/kernel"].shape for part in ("expand", "project"))
        return self._add("Add", name, source, last) if stride == 1 and wide[1] == narrow[0] else last

    def _convolution(
        self, source: str, name: str, norm: str | None = None, *, stride: int = 1, linear: bool = False
    ) -> str:
        """One without bias, and the batch normalisation after it; then what is beyond 0 and 6 is cut off."""
        if name.endswith("depthwise"):
            kernel = self._weight(name, "depthwise_kernel").transpose(2, 3, 0, 1)
            groups = kernel.shape[0]
        else:
            kernel, groups = self._weight(name, "kernel").transpose(3, 2, 0, 1), 1
        kept = self._keep(f"{name}/kernel", kernel)
        # Where the side is halved, Keras pads below and to the right alone.
        how = {"strides": [stride, stride], "group": groups, "auto_pad": "SAME_UPPER"}
        last = self._add("Conv", f"{name}/convolved", source, kept, **how)
        norm = norm or f"{name}_BN"
        parts = [
            self._keep(f"{norm}/{part}", self._weight(norm, part))
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        ]
        last = self._add("BatchNormalization", norm, last, *parts, epsilon=EPSILON)
        return last if linear else self._add("Clip", f"{name}/cut", last, "zero", "six")

    def _dense(self, source: str, name: str) -> str:
        parts = [self._keep(f"{name}/{part}", self._weight(name, part)) for part in ("kernel", "bias")]
        return self._add("Gemm", f"{name}/scores", source, *parts)

    def _weight(self, layer: str, part: str) -> npt.NDArray[np.float32]:
        return self._weights[f"model_weights/{layer}/{layer}/{part}:0"]

    def _keep(self, name: str, value: npt.NDArray[np.float32]) -> str:
        self._constants[name] = np.ascontiguousarray(value)
        return name

    def _add(self, kind: str, result: str, *sources: str, **how: Any) -> str:
        self._nodes.append(helper.make_node(kind, list(sources), [result], result, **how))
        return result
