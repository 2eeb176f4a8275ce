"""What a process serves at /metrics, as tests read it."""

import re
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.plain import NO_TLS


class Scrape(NamedTuple):
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float]  # by names and labels

    def __call__(self, name: str, **labels: str) -> float:
        """A sample; 0 if it is not there yet."""
        return self.samples.get((name, tuple(sorted(labels.items()))), 0)

    @property
    def names(self) -> set[str]:
        """Of the metrics, without what is added to them for the parts of a histogram."""
        return {re.sub("_(bucket|sum|count)$", "", name) for name, _ in self.samples}

    @property
    def labels(self) -> set[str]:
        return {name for _, labels in self.samples for name, _ in labels}


def scrape(address: str) -> Scrape:
    """Of HOST:PORT, or of a URL."""
    url = address if "://" in address else f"http://{address}/metrics"
    answer = httpx.get(url, timeout=10, verify=NO_TLS).raise_for_status()
    families = list(text_string_to_metric_families(answer.text))
    return Scrape(
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }
    )
