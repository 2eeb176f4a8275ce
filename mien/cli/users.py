"""`mien users`: for the first owner, and to get back in. A mesh may run, or not."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import typer
from psycopg.conninfo import make_conninfo

from admin import fields
from admin.passwords import HASHER
from admin.resetting import unlock
from mien.cli.database import in_database
from mien.cli.plainly import CommandError
from mien.cli.table import show_table
from serving.faults import ArgumentInvalid, EmailTaken, RoleInsufficient
from store.database import Connection
from store.sessions import end_sessions, make_reset_token
from store.users import ROLES, NewUser, Role, User, add_user, find_by_email, list_users, set_role

T = TypeVar("T")


def create(email: str, first_name: str, last_name: str, role: str, data: Path | None) -> None:
    wanted = _role(role)
    try:
        fields.email(email)
        fields.person(first_name, "--first-name")
        fields.person(last_name, "--last-name")
        hashed = HASHER.hash(fields.password(_password()))
    except ArgumentInvalid as error:
        raise CommandError(str(error)) from None

    async def make(connection: Connection) -> User:
        user = await add_user(connection, NewUser(email, first_name, last_name, hashed))
        return await set_role(connection, user.id, wanted) if user.role != "owner" else user

    try:
        user = _in_store(data, make, make=True)
    except EmailTaken as error:
        raise CommandError(str(error)) from None
    print(f"{user.email} is there, as {user.role}")


def show(data: Path | None, as_json: bool) -> None:
    users = _in_store(data, list_users)
    if as_json:
        print(json.dumps([each._asdict() for each in users], indent=1, default=str))
        return
    show_table(
        ("e-mail", "name", "role", "id"),
        [(each.email, f"{each.first_name} {each.last_name}", each.role, str(each.id)) for each in users],
    )


def reset(email: str, data: Path | None) -> None:
    async def make(connection: Connection) -> str:
        user = await _found(connection, email)
        await end_sessions(connection, user.id)
        await unlock(connection, user)
        return await make_reset_token(connection, user.id)

    print(_in_store(data, make))


def give_role(email: str, role: str, data: Path | None) -> None:
    wanted = _role(role)

    async def change(connection: Connection) -> User:
        user = await _found(connection, email)
        try:
            return await set_role(connection, user.id, wanted)
        except RoleInsufficient:
            raise CommandError("there has to be an owner: make somebody else the owner instead") from None

    print(f"{email} is now {_in_store(data, change).role}")


async def _found(connection: Connection, email: str) -> User:
    user = await find_by_email(connection, email)
    if user is None:
        raise CommandError(f"no account has the e-mail {email}; `mien users list` shows those there are")
    return user


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text.lower():
            return role
    raise CommandError(f"{text!r} is no role; there are {', '.join(ROLES)}")


def _password() -> str:
    """Typed twice at a terminal, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _in_store(data: Path | None, work: Callable[[Connection], Awaitable[T]], *, make: bool = False) -> T:
    def go(connection: psycopg.Connection[Any]) -> T:
        url = make_conninfo(connection.info.dsn, password=connection.info.password)
        return asyncio.run(_transaction(url, work))

    return in_database(data, go, make=make)


async def _transaction(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await work(connection)
