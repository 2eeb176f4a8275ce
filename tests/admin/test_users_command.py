"""`mien users`: the first owner, and the way back in, at a terminal."""

import json

from click.testing import Result
from typer.testing import CliRunner

from mien.cli.commands import app
from tests.admin.conftest import Admin


def users(url: str, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["users", *arguments], input=typed, env={"DATABASE_URL": url})


def created(url: str, email: str, *more: str, password: str = "correct horse") -> str:
    names = ("--first-name", "Ada", "--last-name", "Byron")
    done = users(url, "create", email, *names, *more, typed=f"{password}\n")
    return done.stdout + done.stderr


def test_the_first_owner_and_the_way_back_in(database_url: str) -> None:
    assert created(database_url, "ada@example.org") == "ada@example.org is there, as owner\n"
    assert created(database_url, "eve@example.org") == "eve@example.org is there, as user\n"
    assert "an account has this e-mail already" in created(database_url, "ADA@example.org")
    assert "password size must be between 8" in created(database_url, "x@example.org", password="short")
    assert "'boss' is no role" in created(database_url, "x@example.org", "--role", "boss")
    token = users(database_url, "reset", "ada@example.org").stdout.strip()
    assert len(token) == 43
    assert users(database_url, "role", "eve@example.org", "owner").stdout == "eve@example.org is now owner\n"
    assert users(database_url, "role", "eve@example.org", "owner").stdout == "eve@example.org is now owner\n"
    assert "there has to be an owner" in users(database_url, "role", "eve@example.org", "user").stderr
    assert "no account has the e-mail" in users(database_url, "reset", "nobody@example.org").stderr
    listed = json.loads(users(database_url, "list", "--json").stdout)
    assert [(each["email"], each["role"]) for each in listed] == [
        ("ada@example.org", "administrator"),
        ("eve@example.org", "owner"),
    ]


def test_a_token_of_the_command_sets_a_password_and_unlocks(admin: Admin) -> None:
    person = admin.person("locked")
    admin.sign_in(person.email, "wrong")
    admin.sql("UPDATE attempts SET count = 10 WHERE what = 'sign-in of an account'")
    assert admin.sign_in(person.email).status_code == 429
    token = users(admin.database_url, "reset", person.email).stdout.strip()
    body = {"password": "battery staple"}
    assert admin.call("PUT", f"/user/reset-password?token={token}", json=body).status_code == 200
    assert admin.sign_in(person.email, "battery staple").status_code == 200
