"""Brings the database's schema up to date, and ends."""

import logging

import psycopg

from serving import logs
from serving.settings import read_settings
from store.migrations import MigrationError, migrate
from store.settings import Settings

log = logging.getLogger("store")


def main() -> None:
    settings = read_settings(Settings, "STORE_")
    logs.set_up()
    try:
        applied = migrate(settings.database_url)
    except (psycopg.Error, MigrationError) as error:
        raise SystemExit(f"the schema could not be brought up to date: {error}") from None
    log.info("schema up to date; applied: %s", ", ".join(applied) or "nothing new")


if __name__ == "__main__":
    main()
