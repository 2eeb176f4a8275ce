"""Makes networks, as they were published, into ONNX files that take any number of images.

Detectors come to take images of any size too, recognisers chips as they are cut.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from embedder.conversion import dlib_format, dlib_onnx, dlib_shapes, hdf5, mobilenet
from embedder.conversion.agreement import require_agreement
from embedder.conversion.batches import batched
from embedder.conversion.intake import Intake
from embedder.conversion.recognisers import taking_chips


def convert(kind: str, source: Path, target: Path, intake: Intake | None = None) -> None:
    """Writes `source`, a network as the pack files say `kind`, to `target`.

    With an intake it is a recogniser that is to take chips. Raises PackInvalid.
    """
    if kind == "predictor":
        dlib_shapes.convert(source, target)
    elif intake:
        onnx.save(taking_chips(source, intake), target)
        require_agreement(source, target, intake)
    else:
        onnx.save(_MAKERS[kind](source), target)


def _centerface(source: Path) -> onnx.ModelProto:
    model = onnx.load(source)
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    del model.graph.input[:]  # an initialiser that is an input too could change: it would not be folded
    model.graph.input.extend(inputs)
    return _of_any_size(model)


def _yunet(source: Path) -> onnx.ModelProto:
    model = onnx.load(source)
    for each in model.graph.initializer:
        values = numpy_helper.to_array(each)
        if values.dtype == np.int64 and values.shape == (3,) and values[0] == 1:  # of a Reshape
            values = np.array([0, *values[1:]], np.int64)  # 0: as many images as came in
            each.CopyFrom(numpy_helper.from_array(values, each.name))
    return _of_any_size(model)


def _dlib(source: Path) -> onnx.ModelProto:
    return dlib_onnx.to_onnx(dlib_format.read(source.read_bytes()))


def _mobilenet(source: Path) -> onnx.ModelProto:
    return mobilenet.to_onnx(hdf5.read(source.read_bytes()))


def _batches(source: Path) -> onnx.ModelProto:
    return batched(onnx.load(source))


def _of_any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    del model.graph.value_info[:]
    used = {name for node in model.graph.node for name in node.input}
    for unused in [each for each in model.graph.initializer if each.name not in used]:
        model.graph.initializer.remove(unused)
    for each in [*model.graph.input, *model.graph.output]:
        shape = each.type.tensor_type.shape.dim
        for axis, dimension in enumerate(shape):
            if axis != 1 or len(shape) == 3:  # all but the channels of (n, c, h, w) and (n, rows, c)
                dimension.Clear()
                dimension.dim_param = f"{each.name}_{axis}"
    return model


_MAKERS: dict[str, Callable[[Path], onnx.ModelProto]] = {
    "centerface": _centerface,
    "yunet": _yunet,
    "dlib": _dlib,
    "mobilenet": _mobilenet,
    "batches": _batches,
}
