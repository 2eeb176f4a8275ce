"""Products of rows and probes, narrow and wide."""

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from classifier import product, scan


@pytest.fixture(params=["with ONNX Runtime", "without"])
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Whether there is one."""
    product._session.cache_clear()
    if request.param == "without":
        found = builtins.__import__

        def missing(name: str, *how: Any) -> Any:
            if name == "onnxruntime":
                raise ImportError(name)
            return found(name, *how)

        monkeypatch.setattr(builtins, "__import__", missing)
    yield request.param == "with ONNX Runtime"
    product._session.cache_clear()


@pytest.mark.parametrize("dimension", [3, product.WIDE - 1, product.WIDE, 512])
def test_it_is_the_product_whoever_multiplies(runtime: bool, dimension: int) -> None:
    random = np.random.default_rng(dimension)
    rows = random.standard_normal((1001, dimension), np.float32)
    probes = random.standard_normal((dimension, 7), np.float32)
    scores = product.product(rows, probes, np.empty((1001, 7), np.float32))
    assert scores.dtype == np.float32
    assert np.abs(scores - rows.astype(float) @ probes).max() < 1e-3
    assert (product._session() is not None) == runtime


@pytest.mark.parametrize("dimension", [128, 512])
def test_the_best_rows_of_many_probes_are_those_of_each_alone(dimension: int) -> None:
    random = np.random.default_rng(dimension)
    arrays = [random.standard_normal((count, dimension), np.float32) for count in (3000, 5, 2001)]
    probes = random.standard_normal((scan.TOGETHER + 5, dimension), np.float32)
    whole = np.concatenate(arrays).astype(float) @ probes.T
    for which, (rows, scores) in enumerate(scan.best(arrays, probes, 20)):
        assert set(rows) == set(np.argsort(-whole[:, which])[:20])
        assert np.abs(scores - whole[rows, which]).max() < 1e-3
