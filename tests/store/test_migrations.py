"""The schema, brought up to date in a real Postgres."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from store.database import Database
from store.migrations import MigrationError, migrate, shipped


def test_every_file_is_applied_once(bare_url: str) -> None:
    assert migrate(bare_url) == sorted(shipped())
    assert migrate(bare_url) == []


def test_of_several_that_start_at_once_one_applies_each_file(bare_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [bare_url] * 4))
    assert sorted(name for names in applied for name in names) == sorted(shipped())


def test_a_file_that_was_changed_after_it_was_applied_is_an_error(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE migrations SET sha256 = 'of another text'")
    with pytest.raises(MigrationError, match=r"0001_galleries\.sql was changed"):
        migrate(database_url)


def test_the_module_migrates_and_ends(bare_url: str) -> None:
    command = [sys.executable, "-m", "store"]
    done = subprocess.run(
        command, env=os.environ | {"DATABASE_URL": bare_url}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert migrate(bare_url) == []


def test_the_module_says_in_plain_words_what_is_wrong() -> None:
    environment = os.environ | {"DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"}
    done = subprocess.run([sys.executable, "-m", "store"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("the schema could not be brought up to date")
    assert "Traceback" not in done.stderr


async def test_a_service_waits_for_the_whole_schema(database_url: str) -> None:
    async with Database(database_url) as database:
        await database.migrated()
