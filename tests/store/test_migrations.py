"""The schema, brought up to date in a real Postgres."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from store import migrations
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


def test_no_samples_are_left_of_what_is_personal_before_it_was_exempt(
    bare_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations._files()
    monkeypatch.setattr(migrations, "_files", lambda: [each for each in every if each[0] < "0006"])
    migrate(bare_url)
    names = ("name", "folded", "email", "first_name", "last_name", "embedding", "content", "idempotency_key")
    samples = "SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public' AND attname = ANY(%s)"
    with psycopg.connect(bare_url, autocommit=True) as connection:
        connection.execute(
            "WITH made AS ("
            "INSERT INTO services VALUES (gen_random_uuid(), 'door', 'recognition', sha256('x')) RETURNING id"
            ") INSERT INTO galleries (id, service_id) SELECT gen_random_uuid(), id FROM made"
        )
        connection.execute(
            "INSERT INTO subjects SELECT gen_random_uuid(), galleries.id, 'Ada ' || n, 'ada ' || n"
            " FROM galleries, generate_series(1, 500) AS n"
        )
        connection.execute("ANALYZE")
        assert ("subjects", "name") in connection.execute(samples, [list(names)]).fetchall()
    monkeypatch.undo()
    migrate(bare_url)
    with psycopg.connect(bare_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO users (id, email, folded, first_name, last_name, role)"
            " SELECT gen_random_uuid(), n || '@x', n || '@x', 'Ada', 'B' || n, 'user'"
            " FROM generate_series(1, 500) AS n"
        )
        connection.execute("ANALYZE")
        left = connection.execute(samples, [list(names)]).fetchall()
        assert {table for table, _ in left} <= {"services", "applications", "keys", "migrations"}
        storage = (
            "SELECT attstorage FROM pg_attribute WHERE attrelid = 'images'::regclass AND attname = 'content'"
        )
        assert connection.execute(storage).fetchone() == ("e",)  # images do not compress
