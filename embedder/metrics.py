"""What the embedder counts."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from embedder.steps import RECOGNISER, Step
from serving.metrics import SECONDS

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # upper edges of the buckets of batches


class Metrics:
    """Counts into `registry`. May be told from several threads at once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def seconds(name: str, says: str, *labels: str) -> Histogram:
            return Histogram(f"mien_embedder_{name}", says, labels, registry=registry, buckets=SECONDS)

        self._images = Counter("mien_embedder_images", "Images that were analysed.", registry=registry)
        self._faces = Counter(
            "mien_embedder_faces", "Faces that a step was done for.", ["step"], registry=registry
        )
        self._step_seconds = seconds("step_seconds", "Work of a step on an image.", "step")
        self._images_waiting = Gauge(
            "mien_embedder_images_waiting", "Image files that wait for a thread.", registry=registry
        )
        self._image_wait = seconds("image_wait_seconds", "How long an image file waited for a thread.")
        self._image_seconds = seconds("image_seconds", "Work of a thread on an image file.")
        self._queue_length = Gauge(
            "mien_embedder_queue_length", "Faces that wait for a step.", ["step"], registry=registry
        )
        self._wait_seconds = seconds(
            "wait_seconds", "How long the faces of a call waited for a step.", "step"
        )
        self._batch_size = Histogram(
            "mien_embedder_batch_size", "Faces to a batch.", ["step"], registry=registry, buckets=SIZES
        )
        self._batch_seconds = seconds("batch_seconds", "Work of a step on a batch.", "step")

    def analysed(self, steps: Iterable[Step], faces: int) -> None:
        """An image, of which these steps were done."""
        self._images.inc()
        for step in steps:
            self._faces.labels(step.name).inc(faces)
            self._step_seconds.labels(step.name).observe(step.seconds)

    def embedded(self, faces: int) -> None:
        """Faces that came cut out."""
        self._faces.labels(RECOGNISER).inc(faces)

    def image_came(self) -> None:
        self._images_waiting.inc()

    def image_taken(self, waited: float) -> None:
        self._images_waiting.dec()
        self._image_wait.observe(waited)

    def image_done(self, seconds: float) -> None:
        self._image_seconds.observe(seconds)

    def image_left(self) -> None:
        """Its caller did not wait for a thread."""
        self._images_waiting.dec()

    def queue(self, step: str) -> "Queue":
        """Of the faces that wait for a step."""
        return Queue(
            self._queue_length.labels(step),
            self._wait_seconds.labels(step),
            self._batch_size.labels(step),
            self._batch_seconds.labels(step),
        )


class Queue:
    """Counts what waits for a step, and its batches."""

    def __init__(self, length: Gauge, waits: Histogram, sizes: Histogram, seconds: Histogram) -> None:
        self._length = length
        self._waits = waits
        self._sizes = sizes
        self._seconds = seconds

    def holds(self, items: int) -> None:
        self._length.set(items)

    def batch(self, size: int, waits: Iterable[float], seconds: float) -> None:
        """One was worked on for so many seconds; `waits` says how many the items of each call had waited."""
        for waited in waits:
            self._waits.observe(waited)
        self._sizes.observe(size)
        self._seconds.observe(seconds)
