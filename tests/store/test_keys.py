"""API keys, in a real Postgres."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from store.keys import FIRST, KeyTermsError, Limits, create_key, hash_of, list_keys, rename_key, revoke_key
from store.migrations import _files
from store.services import create_service
from tests.galleries import new_service


def test_a_service_is_made_with_a_key_that_may_do_all(database_url: str) -> None:
    service, _ = new_service(database_url)
    with psycopg.connect(database_url) as connection:
        (first,) = list_keys(connection, service.id)
    assert (first.name, first.scopes, first.expires_at, first.last_used_at) == (FIRST, ["all"], None, None)
    assert first[6:] == Limits()


def test_a_key_is_listed_as_it_was_made(database_url: str) -> None:
    service, _ = new_service(database_url)
    limits = Limits(2.5, None, 100, 50, 7)
    with psycopg.connect(database_url) as connection:
        made, _ = create_key(
            connection, service.id, "door", ("recognise", "enrol"), timedelta(days=2), limits
        )
        assert [each.name for each in list_keys(connection, service.id)] == [FIRST, "door"]
        assert list_keys(connection, service.id)[1] == made
    assert made.expires_at
    assert made.expires_at - made.created_at == timedelta(days=2)
    assert (made.scopes, made[6:]) == (["enrol", "recognise"], limits._replace(burst=2))


def test_only_the_hash_of_a_key_is_stored(database_url: str) -> None:
    _, key = new_service(database_url)
    assert UUID(key).version == 4
    with psycopg.connect(database_url) as connection:
        ((row, stored),) = connection.execute("SELECT keys::text, key_hash FROM keys")
    assert key not in row
    assert stored == hashlib.sha256(key.encode()).digest() == hash_of(key.upper())


def test_a_key_is_renamed_and_revoked_by_its_name_or_its_id(database_url: str) -> None:
    service, _ = new_service(database_url)
    with psycopg.connect(database_url) as connection:
        made, _ = create_key(connection, service.id, "door")
        rename_key(connection, service.id, "door", "gate")
        rename_key(connection, service.id, str(made.id).upper(), "back door")
        revoke_key(connection, service.id, FIRST)
        assert [each.name for each in list_keys(connection, service.id)] == ["back door"]
        revoke_key(connection, service.id, str(made.id))
        assert list_keys(connection, service.id) == []


def test_a_key_of_another_service_is_out_of_reach(database_url: str) -> None:
    (service, _), (other, _) = new_service(database_url), new_service(database_url)
    with psycopg.connect(database_url) as connection:
        (theirs,) = list_keys(connection, other.id)
        for key in (str(theirs.id), str(uuid4())):
            with pytest.raises(KeyTermsError, match="the service has no key of this id; `mien keys list`"):
                revoke_key(connection, service.id, key)
        with pytest.raises(KeyTermsError, match="no key named 'desk'"):
            rename_key(connection, service.id, "desk", "door")
        assert list_keys(connection, other.id) == [theirs]


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        ({"name": " "}, "1 to 50 characters"),
        ({"name": "x" * 51}, "1 to 50 characters"),
        ({"name": FIRST}, "a key named 'first' already"),
        ({"name": str(uuid4())}, "not the key"),
        ({"scopes": ()}, "one or more of the scopes recognise, enrol, manage, all"),
        ({"scopes": ("manage", "own")}, "one or more of the scopes"),
        ({"lifetime": timedelta()}, "more than no time"),
        ({"lifetime": timedelta(days=10**6)}, "a hundred years"),
        ({"limits": Limits(rate=0)}, "more than 0"),
        ({"limits": Limits(rate=float("nan"))}, "more than 0"),
        ({"limits": Limits(burst=1)}, "needs a rate"),
        ({"limits": Limits(rate=1, burst=0)}, "from 1 to 2147483647"),
        ({"limits": Limits(daily_images=1 << 31)}, "from 1 to 2147483647"),
    ],
)
def test_a_key_that_cannot_be_is_refused_in_plain_words(
    database_url: str, terms: dict[str, Any], complaint: str
) -> None:
    service, _ = new_service(database_url)
    with psycopg.connect(database_url) as connection:
        with pytest.raises(KeyTermsError, match=complaint):
            create_key(connection, service.id, **{"name": "door"} | terms)
        assert len(list_keys(connection, service.id)) == 1


def test_a_name_that_is_taken_is_taken_for_renaming_too(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        service, _ = create_service(connection, "friends", "recognition")
        create_key(connection, service.id, "door")
        with pytest.raises(KeyTermsError, match="choose another name"):
            rename_key(connection, service.id, "door", FIRST)


def test_keys_from_before_they_had_scopes_open_what_they_did(bare_url: str) -> None:
    key = str(uuid4())
    with psycopg.connect(bare_url, autocommit=True) as connection:
        for name, sql in _files():
            if name < "0008":
                connection.execute(sql)
        connection.execute(
            "INSERT INTO services (id, name, type, key_hash) VALUES (%s, 'friends', 'detection', %s)",
            (uuid4(), hash_of(key)),
        )
        (sql,) = (sql for name, sql in _files() if name == "0008_keys.sql")
        connection.execute(sql)
        told = connection.execute(
            "SELECT services.name, keys.name, scopes, expires_at, key_hash"
            " FROM keys JOIN services ON services.id = service_id"
        ).fetchall()
    assert told == [("friends", FIRST, ["all"], None, hash_of(key))]
