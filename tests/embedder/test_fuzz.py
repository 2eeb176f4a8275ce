"""Damaged files become images or are refused. tests/embedder/fuzz.py goes on for longer."""

import pytest

from tests.embedder.damage import damaged, sound
from tests.embedder.fuzz import run

FILES = 1500


@pytest.mark.parametrize("way", sound())
def test_no_damage_harms_the_one_who_looks(way: str) -> None:
    images, refused, findings = run(way, FILES)
    assert findings == []
    assert images + refused == FILES
    assert images > FILES / 20  # the damage goes deeper than the first byte
    assert refused > FILES / 20


def test_damage_can_be_done_again() -> None:
    assert damaged("png", 7) == damaged("png", 7) != damaged("png", 8)
