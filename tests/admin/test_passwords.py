"""Passwords: changed, set anew by a link, hashed off the event loop."""

import asyncio

import pytest

from admin.passwords import HASHER, THREADS, WAITING, Passwords
from serving.faults import Overloaded
from tests.admin.conftest import HASHED, PASSWORD, Admin, Person
from tests.admin.test_accounts import refused

NEW = "battery staple"


def change(admin: Admin, who: Person, old: str, new: str) -> object:
    return admin.call("PUT", "/user/me/password", who, json={"oldPassword": old, "newPassword": new})


def test_a_password_is_changed_and_other_sessions_end(admin: Admin, nobody: Person) -> None:
    other = Person("", "", admin.sign_in(nobody.email).json()["accessToken"])
    assert refused(change(admin, nobody, "wrong", NEW)) == (400, 18, "Incorrect user password")
    assert refused(change(admin, nobody, PASSWORD, "short"))[:2] == (400, 26)
    assert change(admin, nobody, PASSWORD, NEW).status_code == 200  # type: ignore[attr-defined]
    assert admin.call("GET", "/user/me", nobody).status_code == 200
    assert admin.call("GET", "/user/me", other).status_code == 401
    assert admin.sign_in(nobody.email).status_code == 401
    assert admin.sign_in(nobody.email, NEW).status_code == 200


def test_a_link_of_an_administrator_s_sets_a_password_once(
    admin: Admin, boss: Person, nobody: Person
) -> None:
    made = admin.call("POST", f"/user/{nobody.id}/reset-link", boss, json={}).json()
    assert made["expiresIn"] == 900
    path = f"/user/reset-password?token={made['token']}"
    assert admin.call("PUT", path, json={"password": NEW}).status_code == 200
    assert admin.call("GET", "/user/me", nobody).status_code == 401  # whoever was signed in
    assert admin.sign_in(nobody.email, NEW).status_code == 200
    assert refused(admin.call("PUT", path, json={"password": NEW}))[:2] == (400, 30)


def test_a_link_ends_and_a_newer_one_takes_its_place(admin: Admin, boss: Person, nobody: Person) -> None:
    first, second = (
        admin.call("POST", f"/user/{nobody.id}/reset-link", boss, json={}).json()["token"] for _ in range(2)
    )
    use = lambda token: admin.call(  # noqa: E731
        "PUT", "/user/reset-password", json={"token": token, "password": NEW}
    )
    assert refused(use(first))[:2] == (400, 30)
    admin.sql("UPDATE reset_tokens SET expires_at = now()")
    assert refused(use(second))[:2] == (400, 30)


def test_nobody_gets_a_link_for_whoever_is_above(admin: Admin, owner: Person, boss: Person) -> None:
    peer = admin.person("peer", "ADMINISTRATOR")
    for above in (owner, peer):
        told = refused(admin.call("POST", f"/user/{above.id}/reset-link", boss, json={}))
        assert told == (400, 9, "Action not allowed for current user")
    assert admin.call("POST", f"/user/{peer.id}/reset-link", owner, json={}).status_code == 200


def test_without_a_mail_server_forgotten_passwords_are_not_mended_by_mail(
    admin: Admin, nobody: Person
) -> None:
    told = refused(admin.call("POST", "/user/forgot-password", json={"email": nobody.email}))
    assert told[:2] == (500, 29)


SET_ANEW = "UPDATE users SET password = %s WHERE id = %s"


def test_a_password_that_is_just_set_anew_keeps_out_who_comes_with_the_old_one(
    admin: Admin, nobody: Person
) -> None:
    values = (HASHER.hash(NEW), nobody.id)
    answer = admin.during(SET_ANEW, values, lambda: admin.sign_in(nobody.email))
    assert refused(answer)[:2] == (401, 0)
    assert len(admin.sql("SELECT 1 FROM sessions WHERE user_id = %s", nobody.id)) == 1  # that it had
    assert admin.sign_in(nobody.email, NEW).status_code == 200


def test_a_password_that_is_just_set_anew_is_not_changed_by_who_knows_the_old_one(
    admin: Admin, nobody: Person
) -> None:
    values = (HASHER.hash(NEW), nobody.id)
    answer = admin.during(SET_ANEW, values, lambda: change(admin, nobody, PASSWORD, "another one"))
    assert refused(answer)[:2] == (400, 18)
    assert admin.sign_in(nobody.email, NEW).status_code == 200


def test_nobody_gets_a_link_for_whoever_is_just_put_above(admin: Admin, boss: Person, nobody: Person) -> None:
    promoted = "UPDATE users SET role = 'administrator' WHERE id = %s"
    answer = admin.during(
        promoted, (nobody.id,), lambda: admin.call("POST", f"/user/{nobody.id}/reset-link", boss, json={})
    )
    assert refused(answer)[:2] == (400, 9)


async def test_the_event_loop_goes_on_while_passwords_are_hashed() -> None:
    passwords = Passwords()
    hashing = asyncio.gather(*(passwords.hash(PASSWORD) for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 10  # one, if it had waited for them
    assert len(set(await hashing)) == 4
    assert await passwords.check(PASSWORD, (await hashing)[0])
    assert not await passwords.check(PASSWORD, None)
    assert not await passwords.check("", None)


async def test_more_than_can_wait_are_refused_at_once_whether_there_is_such_an_account_or_not() -> None:
    """Who has none is hashed for as others are."""
    passwords = Passwords()
    passwords._busy = THREADS + WAITING
    for hashed in (HASHED, None):
        with pytest.raises(Overloaded):
            await passwords.check(PASSWORD, hashed)
