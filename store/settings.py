"""What `python -m store` reads from the environment."""

from dataclasses import dataclass

from serving.settings import setting


@dataclass(frozen=True)
class Settings:
    """Brings the schema of the database up to date, and ends. Safe to run twice, and twice at once."""

    database_url: str = setting(
        "DATABASE_URL", "the database, as postgresql://USER:PASSWORD@HOST:PORT/NAME; PostgreSQL 15 or newer"
    )
