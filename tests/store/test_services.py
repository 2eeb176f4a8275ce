"""Services and their keys, in a real Postgres."""

import psycopg
import pytest

from store.database import Database
from store.revisions import newest
from store.services import (
    POLICY,
    ServiceError,
    create_service,
    list_services,
    service_named,
    set_policy,
)
from tests.galleries import new_service


def test_a_service_is_found_by_its_name(database_url: str) -> None:
    service, _ = new_service(database_url)
    with psycopg.connect(database_url) as connection:
        assert service_named(connection, service.name) == service
        with pytest.raises(ServiceError, match="no service named 'nowhere'"):
            service_named(connection, "nowhere")


def test_a_recognition_service_has_a_gallery_and_others_have_none(database_url: str) -> None:
    assert new_service(database_url, "recognition")[0].gallery_id
    assert new_service(database_url, "detection")[0].gallery_id is None
    assert new_service(database_url, "verification")[0].gallery_id is None


async def test_a_policy_is_read_with_the_gallery_and_needs_no_revision(
    database: Database, database_url: str
) -> None:
    service, _ = new_service(database_url)
    assert service.gallery_id
    before = await newest(database, service.gallery_id)
    with psycopg.connect(database_url) as connection:
        set_policy(connection, service.name, 0.01)
        assert [each.false_match_rate for each in list_services(connection)] == [0.01]
    after = await newest(database, service.gallery_id)
    assert (before.false_match_rate, after.false_match_rate) == (POLICY, 0.01)
    assert after.revision == before.revision


def test_a_policy_that_cannot_be_is_refused_in_plain_words(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        create_service(connection, "door", "recognition")
        create_service(connection, "eye", "detection")
        for rate in (0.0, 0.11, -1.0, float("nan"), 1e-6):
            with pytest.raises(ServiceError, match=r"from 0\.00001 to 0\.1"):
                set_policy(connection, "door", rate)
        for name in ("eye", "nowhere"):
            with pytest.raises(ServiceError, match=f"no recognition service named '{name}'"):
                set_policy(connection, name, 0.01)
        assert {each.false_match_rate for each in list_services(connection)} == {POLICY, None}


@pytest.mark.parametrize(
    ("name", "kind", "complaint"),
    [
        ("door", "recognition", "there is a service named 'door' already"),
        ("gate", "guessing", "'guessing' is no type of service"),
        ("  ", "recognition", "1 to 50 characters"),
        ("x" * 51, "recognition", "1 to 50 characters"),
        ("a\0b", "recognition", "1 to 50 characters"),
    ],
)
def test_a_service_that_cannot_be_is_refused_in_plain_words(
    database_url: str, name: str, kind: str, complaint: str
) -> None:
    with psycopg.connect(database_url) as connection:
        create_service(connection, "door", "recognition")
        with pytest.raises(ServiceError, match=complaint):
            create_service(connection, name, kind)
        assert [service.name for service in list_services(connection)] == ["door"]
