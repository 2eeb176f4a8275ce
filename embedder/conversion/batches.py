"""Networks that were published for one image at a time, made to take any number."""

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

WITHOUT_INPUTS = 4  # IR version: since then an initialiser need not be an input too


def inputs_of(model: onnx.ModelProto) -> list[Any]:
    """What the network is given; older files name their constants among it."""
    constants = {each.name for each in model.graph.initializer}
    return [each for each in model.graph.input if each.name not in constants]


def batched(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, whose first axis is any number of images, as far as can be told from its graph."""
    graph = model.graph
    inputs = inputs_of(model)
    del graph.input[:]  # an initialiser that is an input too could change: it would not be folded
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, WITHOUT_INPUTS)
    del graph.value_info[:]  # shapes in between, of one image
    constants = {each.name: each for each in graph.initializer}
    constants |= {
        node.output[0]: field.t
        for node in graph.node
        if node.op_type == "Constant"
        for field in node.attribute
        if field.name == "value"
    }
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[0] not in constants and node.input[1] in constants:
            shape = constants[node.input[1]]
            values = numpy_helper.to_array(shape)
            if len(values) > 1 and values[0] == 1:
                # 0: as many images as came in
                shape.CopyFrom(numpy_helper.from_array(np.array([0, *values[1:]], np.int64), shape.name))
    for each in [*graph.input, *graph.output]:
        first = each.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_param = "N"
    return model
