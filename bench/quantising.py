"""Detectors of bytes: static quantisation, by the ranges that were seen on photographs."""

from pathlib import Path
from typing import Any

import cv2
import onnx
from onnx import version_converter
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from bench.scenes import opened
from embedder.detector import to_canvas

OPSET = 13  # the first that knows a scale for each channel


class _Photographs(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, blue_first: bool, samples: Path) -> None:
        paths = (
            sorted((samples / "people").glob("*/*"))[::4] + sorted((samples / "groups").glob("*.jpg"))[-10:]
        )
        canvases = (to_canvas(opened(path), 320).pixels for path in paths)
        self._images = ({name: cv2.dnn.blobFromImage(each, swapRB=blue_first)} for each in canvases)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._images, None)


def quantised(name: str, source: Path, samples: Path, folder: Path) -> Path:
    """The network "centerface" or "yunet" at `source`, in a file in `folder`."""
    model = version_converter.convert_version(onnx.load(source), OPSET)
    prepared, target = folder / f"{name}-prepared.onnx", folder / f"{name}-int8.onnx"
    onnx.save(model, prepared)
    quant_pre_process(prepared, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared,
        target,
        _Photographs(model.graph.input[0].name, name == "yunet", samples),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )
    return target
