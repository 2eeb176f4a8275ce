"""Rows times probes: by NumPy, and where rows are wide by ONNX Runtime, whose kernels suit so thin a product.

docs/performance.md says what that is worth.
"""

from functools import cache
from typing import Any

import numpy as np

from classifier.blocks import Floats

WIDE = 256  # numbers of a row, from which ONNX Runtime is quicker; with 512 by a third
_CHUNK = 1 << 18  # numbers of the rows multiplied at once: they stay in the cache of a core


def rows_at_once(dimension: int) -> int:
    """How many rows are best given to `product`."""
    return max(1, _CHUNK // dimension) * (2 if dimension >= WIDE else 1)


def product(rows: Floats, columns: Floats, out: Floats) -> Floats:
    """(n, d) @ (d, q), as (n, q); all of them float32, and each in one piece of memory.

    In `out`, or in memory of its own. May be called in several threads at once, and takes one core for each.
    """
    if len(columns) >= WIDE and (session := _session()):
        (result,) = session.run(None, {"rows": rows, "columns": columns})
        return result  # type: ignore[no-any-return]
    return np.dot(rows, columns, out=out)


@cache
def _session() -> Any:
    """A network of one product. None if there is no ONNX Runtime: only embedders cannot do without."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper
    except ImportError:
        return None
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("rows", ["n", "d"]), ("columns", ["d", "q"]), ("out", ["n", "q"]))
    ]
    node = helper.make_node("MatMul", ["rows", "columns"], ["out"])
    model = helper.make_model(
        helper.make_graph([node], "product", tensors[:2], tensors[2:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
