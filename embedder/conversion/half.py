"""Makes networks compute in half precision, which GPUs do several times as fast."""

from pathlib import Path

import onnx

from embedder.runtime import onnxruntime  # noqa: F401  -- before its tools: it must not report


def halve(source: Path, target: Path) -> None:
    """Writes the network `source` in this way to `target`. It takes and answers what it did before."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
