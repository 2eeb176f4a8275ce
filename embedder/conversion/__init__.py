"""Turns networks as they are published into what ONNX Runtime reads."""
