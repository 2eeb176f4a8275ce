"""People who are changed by two at once: there is one owner always, and no account is anybody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from serving.faults import ProviderRefused, RoleInsufficient, SignInRequired, UserNotFound
from store.applications import add_application
from store.database import Connection, Database
from store.identities import Identity, user_of
from store.members import add_member, remove_member, set_member_role
from store.sessions import make_reset_token, use_reset_token
from store.users import (
    NewUser,
    add_user,
    delete_user,
    drop_reset_token,
    find_user,
    password_of,
    set_password,
    set_role,
)
from tests.postgres import WAITS

Work = Callable[[Connection], Awaitable[object]]

ISSUER = "https://provider.example"


@pytest.fixture
async def people(database: Database) -> list[UUID]:
    """The owner of the installation, and two users."""
    async with database.transaction() as connection:
        made = [
            await add_user(connection, NewUser(f"{name}@example.org", name, name, "a hash")) for name in "abc"
        ]
    return [each.id for each in made]


@pytest.fixture
async def app_id(database: Database, people: list[UUID]) -> UUID:
    """An application that the second owns, and the third is a member of."""
    async with database.transaction() as connection:
        app_id = await add_application(connection, "doors", people[1])
        await add_member(connection, app_id, people[2], "user")
    return app_id


async def alone(database: Database, work: Work) -> object:
    async with database.transaction() as connection:
        return await work(connection)


async def overtaken(database: Database, first: Work, second: Work) -> object:
    """What comes of the second, which begins before the first is committed."""
    async with database.transaction() as connection:
        await first(connection)
        task = await begun(database, second)
    return await task


async def begun(database: Database, work: Work) -> asyncio.Task[object]:
    """It has gone as far as it can: it waits for a lock, or is done."""
    task = asyncio.create_task(alone(database, work))
    while not task.done() and not await alone(database, _somebody_waits):
        await asyncio.sleep(0.01)
    return task


async def _somebody_waits(connection: Connection) -> bool:
    return bool(await (await connection.execute(WAITS)).fetchone())


async def owners(database: Database, table: str) -> list[UUID]:
    column = "id" if table == "users" else "user_id"
    async with database.transaction() as connection:
        cursor = await connection.execute(f"SELECT {column} FROM {table} WHERE role = 'owner'")
        return [row[0] for row in await cursor.fetchall()]


async def test_who_has_just_become_the_owner_of_an_application_is_not_demoted(
    database: Database, people: list[UUID], app_id: UUID
) -> None:
    with pytest.raises(RoleInsufficient):
        await overtaken(
            database,
            lambda connection: set_member_role(connection, app_id, people[2], "owner"),
            lambda connection: set_member_role(connection, app_id, people[2], "user"),
        )
    assert await owners(database, "members") == [people[2]]


async def test_who_has_just_become_the_owner_of_an_application_is_not_removed(
    database: Database, people: list[UUID], app_id: UUID
) -> None:
    with pytest.raises(RoleInsufficient):
        await overtaken(
            database,
            lambda connection: set_member_role(connection, app_id, people[2], "owner"),
            lambda connection: remove_member(connection, app_id, people[2]),
        )
    assert await owners(database, "members") == [people[2]]


async def test_who_has_just_been_removed_does_not_become_the_owner(
    database: Database, people: list[UUID], app_id: UUID
) -> None:
    with pytest.raises(UserNotFound):
        await overtaken(
            database,
            lambda connection: remove_member(connection, app_id, people[2]),
            lambda connection: set_member_role(connection, app_id, people[2], "owner"),
        )
    with pytest.raises(UserNotFound):
        await alone(database, lambda connection: remove_member(connection, app_id, people[2]))
    assert await owners(database, "members") == [people[1]]


async def test_who_has_just_become_the_owner_of_the_installation_is_not_demoted_or_deleted(
    database: Database, people: list[UUID]
) -> None:
    with pytest.raises(RoleInsufficient):
        await overtaken(
            database,
            lambda connection: set_role(connection, people[1], "owner"),
            lambda connection: set_role(connection, people[1], "user"),
        )
    assert await owners(database, "users") == [people[1]]
    with pytest.raises(RoleInsufficient):
        await overtaken(
            database,
            lambda connection: set_role(connection, people[2], "owner"),
            lambda connection: delete_user(connection, people[2], None),
        )
    assert await owners(database, "users") == [people[2]]


async def test_the_owner_may_become_the_owner_again_and_stays_it(
    database: Database, people: list[UUID]
) -> None:
    again = await alone(database, lambda connection: set_role(connection, people[0], "owner"))
    assert again == await alone(database, lambda connection: find_user(connection, people[0]))
    assert await owners(database, "users") == [people[0]]
    with pytest.raises(UserNotFound):
        await alone(database, lambda connection: set_role(connection, uuid4(), "owner"))
    assert await owners(database, "users") == [people[0]]


async def test_an_application_that_is_made_while_its_owner_is_deleted_passes_to_another(
    database: Database, people: list[UUID]
) -> None:
    await overtaken(
        database,
        lambda connection: add_application(connection, "doors", people[1]),
        lambda connection: delete_user(connection, people[1], people[2]),
    )
    assert await owners(database, "members") == [people[2]]


async def test_who_has_just_been_deleted_makes_no_application(database: Database, people: list[UUID]) -> None:
    with pytest.raises(SignInRequired):
        await overtaken(
            database,
            lambda connection: delete_user(connection, people[1], None),
            lambda connection: add_application(connection, "doors", people[1]),
        )


async def test_an_account_that_the_provider_has_bound_already_is_nobody_else_s_there(
    database: Database, people: list[UUID]
) -> None:
    def known_as(subject: str, issuer: str = ISSUER) -> Work:
        return lambda connection: user_of(connection, Identity(issuer, subject, "B@example.org", "b", "b"))

    assert await alone(database, known_as("one")) == people[1]
    with pytest.raises(ProviderRefused):
        await alone(database, known_as("two"))
    assert await alone(database, known_as("one")) == people[1]
    assert await alone(database, known_as("two", "https://another.example")) == people[1]


async def test_two_who_come_for_one_account_at_once_do_not_both_get_it(
    database: Database, people: list[UUID]
) -> None:
    def known_as(subject: str) -> Work:
        return lambda connection: user_of(connection, Identity(ISSUER, subject, "b@example.org", "b", "b"))

    with pytest.raises(ProviderRefused):
        await overtaken(database, known_as("one"), known_as("two"))


@pytest.mark.parametrize("change", ["taken over", "promoted"])
async def test_a_link_to_set_a_password_ends_when_the_account_becomes_another(
    database: Database, people: list[UUID], change: str
) -> None:
    async with database.transaction() as connection:
        token = await make_reset_token(connection, people[1])
    async with database.transaction() as connection:
        if change == "promoted":
            await set_role(connection, people[1], "administrator")
        else:
            await user_of(connection, Identity(ISSUER, "one", "b@example.org", "b", "b"))
    assert await alone(database, lambda connection: use_reset_token(connection, token)) is None


async def test_a_link_that_is_used_while_it_ends_sets_no_password_and_stops_nobody(
    database: Database, people: list[UUID]
) -> None:
    async def use(connection: Connection) -> None:
        if await use_reset_token(connection, token):
            await set_password(connection, people[1], "another hash")

    async with database.transaction() as connection:
        token = await make_reset_token(connection, people[1])
    async with database.transaction() as connection:
        await find_user(connection, people[1], lock=True)
        task = await begun(database, use)
        await drop_reset_token(
            connection, people[1]
        )  # two who wait for each other would be stopped by Postgres
    await task
    assert await alone(database, lambda connection: password_of(connection, people[1])) == "a hash"
