"""People who are changed by two at once: there is one owner always, and no account is anybody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from serving.faults import RoleInsufficient, SignInRequired, UserNotFound
from store.applications import add_application
from store.database import Connection, Database
from store.members import add_member, remove_member, set_member_role
from store.sessions import make_reset_token, use_reset_token
from store.users import NewUser, add_user, delete_user, find_user, set_role
from tests.postgres import WAITS

Work = Callable[[Connection], Awaitable[object]]


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
        task = asyncio.create_task(alone(database, second))
        while not task.done() and not await alone(database, _somebody_waits):
            await asyncio.sleep(0.01)
    return await task


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


async def test_a_link_to_set_a_password_ends_when_the_account_is_promoted(
    database: Database, people: list[UUID]
) -> None:
    async with database.transaction() as connection:
        token = await make_reset_token(connection, people[1])
    await alone(database, lambda connection: set_role(connection, people[1], "administrator"))
    assert await alone(database, lambda connection: use_reset_token(connection, token)) is None
