"""What the classifier reads from the environment."""

from dataclasses import dataclass

from serving.limits import MAX_FILE, MAX_REQUEST
from serving.settings import setting


@dataclass(frozen=True)
class Settings:
    """Holds galleries in memory, in step with Postgres, and says who is in an image."""

    database_url: str = setting(
        "DATABASE_URL",
        "the database, as postgresql://USER:PASSWORD@HOST:PORT/NAME; `python -m store` makes its schema",
    )
    listen: str = setting("CLASSIFIER_LISTEN", "address to serve gRPC on", "127.0.0.1:50052")
    embedder: str = setting(
        "CLASSIFIER_EMBEDDER", "where embedders are reached: Envoy's internal listener", "127.0.0.1:8001"
    )
    max_file: int = setting(
        "MIEN_MAX_FILE_BYTES", "the largest image, in bytes, that CompreFace's REST takes", MAX_FILE
    )
    max_request: int = setting(
        "MIEN_MAX_REQUEST_BYTES",
        "the largest request, in bytes; set it alike for every process of the mesh",
        MAX_REQUEST,
    )
    memory: int = setting(
        "CLASSIFIER_MEMORY",
        "bytes that galleries may take; a quarter of the machine's or the container's if 0",
        0,
    )
    max_staleness: float = setting(
        "CLASSIFIER_MAX_STALENESS",
        "seconds that an answer may be stale while Postgres is away, if its caller allows that; 0: never",
        10.0,
    )
    audit_days: int = setting(
        "CLASSIFIER_AUDIT_DAYS", "days that events of the audit log are kept; 0: for good", 365
    )
    metrics: str | None = setting(
        "CLASSIFIER_METRICS", "where to serve metrics, over HTTP, as host:port; nowhere if unset", None
    )
