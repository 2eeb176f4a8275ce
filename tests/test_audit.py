"""`mien audit` on a real Postgres, and docs/audit.md beside what there is."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner, Result

from mien.cli.commands import app
from store.application_services import add_to_application
from store.applications import add_application
from store.audit import ACTIONS, ActorKind
from store.chain import Link
from store.database import Database
from store.gallery import GalleryStore
from store.users import NewUser, add_user
from tests.galleries import enrol
from tests.store.test_audit import tamper

DOCUMENT = (Path(__file__).parents[1] / "docs/audit.md").read_text()

Mien = Callable[..., Result]


@pytest.fixture
def mien(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Mien:
    """Runs a command on the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return lambda *arguments: CliRunner().invoke(app, ["audit", *arguments])


@pytest.fixture
async def receipt(store: GalleryStore, gallery_id: UUID) -> UUID:
    """Of an erasure: the last of three events."""
    await enrol(store, gallery_id, "Ann")
    receipt = (await store.erase_subject(gallery_id, "Ann")).receipt
    assert receipt
    return receipt


def test_the_newest_events_are_listed(mien: Mien, receipt: UUID) -> None:
    lines = mien("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    assert "mien  service.created" in lines[0]
    assert "mien  subject.erased" in lines[2]
    assert "faces=1" in lines[2]
    assert mien("list", "--last", "1").stdout.splitlines() == lines[2:]
    assert mien("list", "--action", "face.added").stdout.splitlines() == lines[1:2]
    (told,) = mien("list", "--about", str(receipt), "--json").stdout.splitlines()
    (subject,) = json.loads(told)["subjects"]
    assert len(mien("list", "--about", subject).stdout.splitlines()) == 2
    assert mien("list", "--service", "nobody's").stdout == ""


async def test_a_service_of_an_application_is_called_by_both_names(mien: Mien, database: Database) -> None:
    async with database.transaction() as connection:
        owner = await add_user(connection, NewUser("ada@example.org", "Ada", "Byron", None))
        for name in ("home", "office"):
            app_id = await add_application(connection, name, owner.id)
            door, _ = await add_to_application(connection, app_id, "door", "detection")
    (line,) = mien("list", "--service", "office/door").stdout.splitlines()
    assert f"service.created {door}" in line
    assert mien("list", "--service", "door").stdout == ""


def test_an_action_that_there_is_not_is_refused_with_those_there_are(mien: Mien) -> None:
    done = mien("list", "--action", "face.stolen")
    assert done.exit_code == 1
    assert "face.erased" in done.stderr


def test_what_is_exported_can_be_verified_as_the_document_says(
    mien: Mien, receipt: UUID, tmp_path: Path
) -> None:
    assert "4 events" in mien("export", "--to", str(tmp_path / "log")).stdout
    lines = (tmp_path / "log").read_text()
    assert mien("export").stdout.startswith(lines)
    program = re.findall(r"^```\n(import.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)[0]
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the head is 4:")
    spoilt = lines.replace('"faces": 1', '"faces": 2', 1)
    assert subprocess.run(
        [sys.executable, "-c", program], input=spoilt, capture_output=True, text=True
    ).returncode


def test_a_head_is_printed_and_found_again(mien: Mien, receipt: UUID, database_url: str) -> None:
    said, head = mien("verify").stdout.splitlines()
    assert said.startswith("3 events")
    assert mien("verify", "--head", head).exit_code == 0
    assert "NUMBER:HASH" in mien("verify", "--head", "3").stderr
    with psycopg.connect(database_url, autocommit=True) as connection:
        tamper(connection, "DELETE FROM audit WHERE number = 3")
    assert mien("verify").exit_code == 0
    done = mien("verify", "--head", head)
    assert done.exit_code == 1
    assert done.stderr.startswith("mien: there is no event 3 any more")


def test_every_action_actor_and_field_is_documented_and_no_other() -> None:
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE))
    assert rows == dict(ACTIONS)
    for name in (*Link._fields, *get_args(ActorKind)):
        assert f"`{name}`" in DOCUMENT, name
