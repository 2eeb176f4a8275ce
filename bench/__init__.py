"""Measures mien: python -m bench, python -m bench.calibrate."""
