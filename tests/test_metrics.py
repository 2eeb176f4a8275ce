"""docs/metrics.md has every metric that there is, and no other."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, ProcessCollector

from classifier.galleries import Galleries
from classifier.hashes import Hashes
from classifier.metrics import Holdings, lag
from embedder.metrics import Metrics
from embedder.steps import ORDER
from serving.metrics import CallMetrics
from store.database import Database

DOCUMENT = (Path(__file__).parents[1] / "docs/metrics.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\w+)[^|]* \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


@pytest.fixture
async def metrics() -> dict[str, Metric]:
    """All that our processes count, by the names that they are scraped by."""
    registry = CollectorRegistry()
    CallMetrics(registry)
    Metrics(registry)
    galleries = Galleries(Database("postgresql://nowhere"), budget=0)
    registry.register(Holdings(galleries, Hashes(galleries)))
    lag(registry)
    ProcessCollector(registry=registry)
    return {each.name + "_total" * (each.type == "counter"): each for each in registry.collect()}


def test_each_metric_is_documented_with_its_kind_and_unit(metrics: dict[str, Metric]) -> None:
    documented = {name: kind for name, kind, _, _ in ROW.findall(DOCUMENT)}
    assert documented == {name: metric.type for name, metric in metrics.items()}
    for name, _, unit, _ in ROW.findall(DOCUMENT):
        for word in ("seconds", "bytes"):
            assert (f"_{word}" in name) == unit.startswith(word), name


def test_what_to_look_at_is_there_and_so_are_the_steps(metrics: dict[str, Metric]) -> None:
    expressions = " ".join(line for line in DOCUMENT.splitlines() if "rate(" in line)
    named = set(re.findall(r"mien_\w+", expressions))
    assert named
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= metrics.keys()
    assert set(re.findall(r'step="(\w+)"', expressions)) <= set(ORDER)
