"""What the classifier holds, counted when somebody asks."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from classifier.galleries import Galleries
from classifier.hashes import Hashes
from serving.metrics import SECONDS


class Holdings(Collector):
    def __init__(self, galleries: Galleries, hashes: Hashes) -> None:
        self._galleries = galleries
        self._hashes = hashes

    def collect(self) -> Iterator[Metric]:
        views = list(self._galleries.held().values())
        matrices = [view.matrix for view in views]
        yield GaugeMetricFamily("mien_classifier_galleries", "Galleries in memory.", len(matrices))
        yield GaugeMetricFamily("mien_classifier_rows", "Faces in memory.", sum(map(len, matrices)))
        yield GaugeMetricFamily(
            "mien_classifier_bytes", "Memory of galleries.", sum(matrix.nbytes for matrix in matrices)
        )
        yield GaugeMetricFamily(
            "mien_classifier_behind_seconds",
            "Since galleries were last level with the database.",
            self._galleries.behind(),
        )
        yield GaugeMetricFamily(
            "mien_classifier_revision", "Sum of revisions.", sum(view.revision for view in views)
        )
        yield GaugeMetricFamily(
            "mien_classifier_hash", "Sum of hashes of all faces, of 52 bits.", self._hashes.together()
        )


def lag(registry: CollectorRegistry) -> Histogram:
    return Histogram(
        "mien_classifier_lag_seconds",
        "From a change's writing to its being searched here.",
        registry=registry,
        buckets=SECONDS,
    )
