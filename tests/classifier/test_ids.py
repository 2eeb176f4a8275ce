"""Places of ids, against a dictionary."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.ids import Places

# All in one shard, so that they get in each other's way.
KEYS = [each for number in range(300_000) if hash(each := number.to_bytes(16, "big")) % 4096 == 7][:41]


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "move", "remove"]), st.integers(0, 40)), max_size=200))
def test_it_knows_what_a_dictionary_knows(steps: list[tuple[str, int]]) -> None:
    at: dict[int, bytes] = {}
    places = Places(lambda place: at.get(place, b""))
    known: dict[bytes, int] = {}
    for verb, number in steps:
        key = KEYS[number]
        if verb == "put" and key not in known:
            known[key] = max(at, default=0) + 1
            at[known[key]] = key
            places.put(key, known[key])
        if verb == "move" and key in known:
            old, known[key] = known[key], max(at) + 1
            at[known[key]] = key
            places.put(key, known[key])
            del at[old]
        if verb == "remove" and key in known:
            places.remove(key)
            del at[known.pop(key)]
        assert [places.find(each) for each in KEYS] == [known.get(each) for each in KEYS]


@pytest.mark.parametrize("expected", [0, 50_000])
def test_many_ids_take_little_memory(expected: int) -> None:
    lot = random.Random(1)
    ids = [lot.randbytes(16) for _ in range(50_000)]
    places = Places(ids.__getitem__)
    places.expect(expected)
    places.put_new(ids[:40_000], 0)
    for place, each in enumerate(ids[40_000:], 40_000):
        places.put(each, place)
    assert [places.find(each) for each in ids] == list(range(len(ids)))
    assert places.find(bytes(16)) is None
    assert places.nbytes < 16 * len(ids)
    assert places.nbytes == sum(slots.itemsize * len(slots) for slots in places._shards.values())
