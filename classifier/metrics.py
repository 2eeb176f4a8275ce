"""What the classifier holds, counted when somebody asks."""

import time
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from classifier.galleries import Galleries


class Holdings(Collector):
    def __init__(self, galleries: Galleries) -> None:
        self._galleries = galleries

    def collect(self) -> Iterator[Metric]:
        matrices = [view.matrix for view in self._galleries.held()]
        behind = time.monotonic() - self._galleries.caught_up
        yield GaugeMetricFamily("mien_classifier_galleries", "Galleries in memory.", len(matrices))
        yield GaugeMetricFamily("mien_classifier_rows", "Faces in memory.", sum(map(len, matrices)))
        yield GaugeMetricFamily(
            "mien_classifier_bytes", "Memory of galleries.", sum(matrix.nbytes for matrix in matrices)
        )
        yield GaugeMetricFamily(
            "mien_classifier_behind_seconds", "Since galleries were last level with the database.", behind
        )
