"""`mien keys`: works on the database of a mesh, whether it runs or not."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from mien.cli.database import in_database
from mien.cli.table import show_table
from store.keys import Limits, Listed, create_key, list_keys, rename_key, revoke_key
from store.services import Service, service_named

T = TypeVar("T")


def create(
    service: str,
    name: str,
    scopes: Sequence[str],
    days: float | None,
    limits: Mapping[str, Any],
    data: Path | None,
    as_json: bool,
) -> None:
    lifetime = None if days is None else timedelta(days=min(days, 1e6))

    def make(connection: psycopg.Connection[Any], found: Service) -> tuple[Listed, str]:
        return create_key(connection, found.id, name, scopes, lifetime, Limits(**limits))

    listed, key = _of(service, data, make)
    print(json.dumps({**_told(listed), "api_key": key}) if as_json else key)


def show(service: str, data: Path | None, as_json: bool) -> None:
    keys = _of(service, data, lambda connection, found: list_keys(connection, found.id))
    if as_json:
        print(json.dumps([_told(each) for each in keys], indent=1))
        return
    show_table(
        ("name", "scopes", "limits", "expires", "last used", "id"),
        [
            (
                *(each.name, ", ".join(each.scopes), _limits(each)),
                *(_time(each.expires_at, "never"), _time(each.last_used_at, "never"), str(each.id)),
            )
            for each in keys
        ],
    )


def rename(service: str, key: str, name: str, data: Path | None) -> None:
    _of(service, data, lambda connection, found: rename_key(connection, found.id, key, name))


def revoke(service: str, key: str, data: Path | None) -> None:
    _of(service, data, lambda connection, found: revoke_key(connection, found.id, key))


def _of(name: str, data: Path | None, work: Callable[[psycopg.Connection[Any], Service], T]) -> T:
    """What `work` returns of the service of this name."""
    return in_database(data, lambda connection: work(connection, service_named(connection, name)))


def _told(key: Listed) -> dict[str, Any]:
    """As JSON; what a key does not have is left out."""
    told = {name: value for name, value in key._asdict().items() if value is not None}
    return {name: _plain(value) for name, value in told.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, list | int | float) else str(value)


def _limits(key: Listed) -> str:
    told = {
        f"{key.rate:g}/s" if key.rate else "": key.rate,
        f"{key.daily_requests} requests/day": key.daily_requests,
        f"{key.daily_images} images/day": key.daily_images,
        f"{key.max_faces} faces": key.max_faces,
    }
    return ", ".join(text for text, limit in told.items() if limit)


def _time(at: datetime | None, otherwise: str) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else otherwise
