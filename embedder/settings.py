"""What the embedder reads from its environment."""

from dataclasses import dataclass, fields
from pathlib import Path

from serving.limits import MAX_REQUEST
from serving.settings import SettingsError, setting

AUTO, FLOAT32, FLOAT16, INT8 = PRECISIONS = ("auto", "float32", "float16", "int8")


@dataclass(frozen=True)
class Settings:
    """The embedder: turns images into faces and faces into embeddings."""

    listen: str = setting("EMBEDDER_LISTEN", "where to serve gRPC, as host:port", "127.0.0.1:50051")
    pack: str = setting(
        "EMBEDDER_PACK",
        "the model pack, by name, or a pack file, NAME.toml; all embedders must serve the same",
        "open",
    )
    threads: int | None = setting(
        "EMBEDDER_THREADS", "images worked on at once; as many as this process has CPU cores if unset", None
    )
    device: str | None = setting(
        "EMBEDDER_DEVICE",
        "where networks run: cpu, cuda, or cuda:1 and so on; if unset a GPU if onnxruntime is built for them",
        None,
    )
    precision: str = setting(
        "EMBEDDER_PRECISION",
        "what the recogniser computes in: float32, float16 (on a GPU), int8 (on a CPU), or auto, which"
        " measures at start whether the smaller one is quicker",
        AUTO,
    )
    flip: int = setting(
        "EMBEDDER_FLIP",
        "1: embed the mirror image of each face too, and take the middle; this is another model",
        0,
    )
    queue: int = setting("EMBEDDER_QUEUE", "images that may wait; more are refused as OVERLOADED", 64)
    delay: float = setting(
        "EMBEDDER_DELAY",
        "seconds a face may wait for others to fill a batch; 0: none waits, which is best on a CPU",
        0.0,
    )
    max_pixels: int = setting("EMBEDDER_MAX_PIXELS", "images of more pixels are refused", 50_000_000)
    cache: Path | None = setting(  # noqa: RUF009
        "MIEN_CACHE", "folder that keeps the networks; the user's cache folder if unset", None
    )
    index: str | None = setting(
        "MIEN_INDEX_URL",
        "the package index that networks come from; the one of this user's pip if unset",
        None,
    )
    max_request: int = setting(
        "MIEN_MAX_REQUEST_BYTES",
        "the largest request, in bytes; set it alike for every process of the mesh",
        MAX_REQUEST,
    )
    metrics: str | None = setting(
        "EMBEDDER_METRICS", "where to serve metrics, over HTTP, as host:port; nowhere if unset", None
    )

    def __post_init__(self) -> None:
        least = {"threads": 1, "queue": 0, "delay": 0, "max_pixels": 1, "max_request": 1}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in least and value is not None and value < least[field.name]:
                name = field.metadata["name"]
                raise SettingsError(f"{name}={value} is too small: at least {least[field.name]}")
        for name, value, known in (
            ("EMBEDDER_PRECISION", self.precision, PRECISIONS),
            ("EMBEDDER_FLIP", self.flip, (0, 1)),
        ):
            if value not in known:
                raise SettingsError(f"{name}={value} is not known; there are {', '.join(map(str, known))}")
