"""SECURITY.md promises nothing that no test holds."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text()


def test_every_test_that_it_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) > 20
    for file, test in named:
        assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE), (
            f"{file}::{test}"
        )


def test_every_promise_names_one() -> None:
    promises = re.split(
        r"^\* ", TEXT.partition("## What is promised")[2].partition("\n## ")[0], flags=re.MULTILINE
    )
    assert len(promises) > 10
    for promise in promises[1:]:
        assert "::test_" in promise, promise
