"""What every service counts: the calls it answers, and what it refuses."""

from grpc import StatusCode
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from mien.v1 import errors_pb2
from serving.faults import Fault

# Upper edges of the buckets of every histogram of seconds.
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class CallMetrics:
    """Counts into `registry`. May be told from several threads at once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter("mien_grpc_calls", "Calls that ended.", ["method", "code"], registry=registry)
        self._seconds = Histogram(
            "mien_grpc_call_seconds",
            "From a call's arrival to its end.",
            ["method"],
            registry=registry,
            buckets=SECONDS,
        )
        self._in_progress = Gauge(
            "mien_grpc_calls_in_progress", "Calls that have not ended.", ["method"], registry=registry
        )
        self._refusals = Counter(
            "mien_refusals", "Refusals, by the reason that callers are told.", ["reason"], registry=registry
        )
        for number in errors_pb2.ErrorReason.values()[1:]:
            self._refusals.labels(_name(number))  # each is there from the start, as 0

    def began(self, method: str) -> None:
        self._in_progress.labels(method).inc()

    def ended(self, method: str, code: StatusCode, seconds: float) -> None:
        self._in_progress.labels(method).dec()
        self._calls.labels(method, code.name).inc()
        self._seconds.labels(method).observe(seconds)

    def refused(self, fault: Fault) -> None:
        self._refusals.labels(_name(fault.reason)).inc()


def _name(reason: "errors_pb2.ErrorReason.ValueType") -> str:
    return errors_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")
