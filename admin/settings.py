"""What the admin service reads from the environment."""

from dataclasses import dataclass

from serving.settings import setting


@dataclass(frozen=True)
class Settings:
    """Keeps accounts, applications and their services."""

    database_url: str = setting(
        "DATABASE_URL",
        "the database, as postgresql://USER:PASSWORD@HOST:PORT/NAME; `python -m store` makes its schema",
    )
    listen: str = setting("ADMIN_LISTEN", "address to serve gRPC on", "127.0.0.1:50053")
    metrics: str | None = setting(
        "ADMIN_METRICS", "where to serve metrics, over HTTP, as host:port; nowhere if unset", None
    )
    sign_up: str = setting(
        "ADMIN_SIGN_UP",
        "who may sign up after the first, who is the owner: open, anybody; closed, nobody",
        "open",
    )
