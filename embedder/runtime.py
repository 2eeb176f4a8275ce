"""ONNX Runtime, as this package imports it: without its reports to its makers."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it looks at this once, when it is loaded

import onnxruntime

__all__ = ["onnxruntime"]
