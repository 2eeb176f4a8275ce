"""An admin service as it runs in a mesh, behind the real Envoy, with people in every role."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import grpc
import httpx
import psycopg
import pytest

from admin.passwords import HASHER
from mien.launcher import gateway
from mien.launcher.certificate import self_made
from mien.launcher.gateway import Address, Places, Terms
from tests.classifier.conftest import running
from tests.gateway.conftest import LOCAL
from tests.gateway.conftest import running as running_envoy
from tests.plain import NO_TLS
from tests.postgres import WAITS, Server, free_port, new_database

PASSWORD = "correct horse"
HASHED = HASHER.hash(PASSWORD)


class Person(NamedTuple):
    id: str
    email: str
    token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class Admin(NamedTuple):
    """Where it is, past Envoy and by it."""

    address: str
    url: str
    database_url: str

    def call(self, verb: str, path: str, who: Person | None = None, **more: Any) -> httpx.Response:
        headers = (who.bearer if who else {}) | more.pop("headers", {})
        with httpx.Client(verify=NO_TLS, timeout=30) as client:  # no cookies are kept from call to call
            return client.request(verb, f"{self.url}/admin{path}", headers=headers, **more)

    def register(self, email: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
        body = {"email": email, "firstName": "Ada", "lastName": "Byron", "password": password}
        return self.call("POST", "/user/register", json=body, headers=headers)

    def sign_in(self, email: str, password: str = PASSWORD, **headers: str) -> httpx.Response:
        return self.call("POST", "/session", json={"email": email, "password": password}, headers=headers)

    def person(self, name: str, role: str = "USER") -> Person:
        """Somebody new who has signed in: straight into the database, since hashing takes its time."""
        person = Person(str(uuid4()), f"{name}-{os.urandom(4).hex()}@example.org", secrets.token_urlsafe(32))
        self.sql(
            "INSERT INTO users (id, email, folded, first_name, last_name, password, role)"
            " VALUES (%s, %s, %s, 'Ada', 'Byron', %s, lower(%s))",
            *(person.id, person.email, person.email, HASHED, role),
        )
        self.sql(
            "INSERT INTO sessions (id, user_id, access_hash, access_expires_at)"
            " VALUES (%s, %s, sha256(%s), now() + interval '1 hour')",
            *(uuid4(), person.id, person.token.encode()),
        )
        self.sql("DELETE FROM attempts")  # who tries much from one address is slowed down, and tests do
        return person

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def during(self, statement: str, values: tuple[object, ...], call: Callable[[], Any]) -> Any:
        """What comes of a call that begins before a change is committed."""
        with ThreadPoolExecutor(1) as thread, psycopg.connect(self.database_url) as connection:
            connection.execute(statement, values)
            answer = thread.submit(call)
            while not answer.done() and not self.sql(WAITS):
                time.sleep(0.01)
            connection.commit()
            return answer.result()

    def application(self, owner: Person, boss: Person) -> str:
        """A new application, made by an administrator, who hands it over."""
        made = self.call("POST", "/app", boss, json={"name": f"app {os.urandom(6).hex()}"})
        assert made.status_code == 201, made.text
        self.sql("UPDATE members SET user_id = %s WHERE application_id = %s", owner.id, made.json()["id"])
        return str(made.json()["id"])

    def join(self, app: str, who: Person, role: str) -> None:
        self.sql("INSERT INTO members VALUES (%s, %s, %s)", app, who.id, role.lower())


@contextmanager
def admin_behind_envoy(url: str, folder: Any, **settings: str) -> Iterator[Admin]:
    address = f"{LOCAL}:{free_port()}"
    public, secure, internal, envoys = (Address(LOCAL, free_port()) for _ in range(4))
    places = Places(public, secure, internal, envoys, [], [], [Address.parse(address)])
    gateway.write(places, self_made(folder), folder / "envoy.json", Terms(rate=10_000))
    with (
        running("admin", ADMIN_LISTEN=address, DATABASE_URL=url, **settings),
        running_envoy(folder / "envoy.json"),
    ):
        admin = Admin(address, f"http://{public}", url)
        deadline = time.monotonic() + 20
        while not _answers(admin):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield admin


def _answers(admin: Admin) -> bool:
    try:
        return admin.call("GET", "/status").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def admin(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with new_database(postgres) as url, admin_behind_envoy(url, tmp_path_factory.mktemp("admin")) as admin:
        yield admin


@pytest.fixture(scope="session")
def owner(admin: Admin) -> Person:
    """Of the installation."""
    return admin.person("owner", "OWNER")


@pytest.fixture(scope="session")
def boss(admin: Admin, owner: Person) -> Person:
    """An administrator of the installation."""
    return admin.person("boss", "ADMINISTRATOR")


@pytest.fixture
def nobody(admin: Admin, owner: Person) -> Person:
    """A user without any application."""
    return admin.person("nobody")


@pytest.fixture
def channel(admin: Admin) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(admin.address) as channel:
        yield channel
