"""Accounts by REST: sign-up, who one is, names, roles, deletion."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.admin.conftest import PASSWORD, Admin, Person, admin_behind_envoy
from tests.postgres import Server, new_database


def refused(answer: object) -> tuple[int, int, str]:
    told = answer.json()  # type: ignore[attr-defined]
    assert list(told) == ["message", "code"], told
    return answer.status_code, told["code"], told["message"]  # type: ignore[attr-defined]


def test_who_signs_up_is_a_user_once_there_is_an_owner(admin: Admin, owner: Person, nobody: Person) -> None:
    made = admin.register("new@example.org")
    assert (made.status_code, made.json()["role"]) == (201, "USER")
    assert admin.call("GET", "/user/me", owner).json() == {
        "userId": owner.id,
        "email": owner.email,
        "firstName": "Ada",
        "lastName": "Byron",
        "role": "OWNER",
    }
    assert admin.call("GET", "/user/me", nobody).json()["role"] == "USER"


@pytest.fixture(scope="module")
def fresh(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """Another installation, where nobody has signed up, and only the first may."""
    folder = tmp_path_factory.mktemp("fresh")
    with new_database(postgres) as url, admin_behind_envoy(url, folder, ADMIN_SIGN_UP="closed") as fresh:
        yield fresh


def test_there_is_one_owner_though_several_sign_up_at_once_and_then_it_is_closed(fresh: Admin) -> None:
    assert fresh.call("GET", "/config").json()["signUpOpen"] is False
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: fresh.register(f"u{number}@example.org"), range(4)))
    assert {each.status_code for each in made} <= {201, 403}
    roles = sorted(each.json()["role"] for each in made if each.status_code == 201)
    assert roles == ["OWNER", *["USER"] * (len(roles) - 1)]
    assert refused(fresh.register("late@example.org"))[:2] == (403, 1)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"email": "ada"}, (400, 22, "Email format is incorrect")),
        ({"email": "ada@" + "x" * 250 + ".org"}, (400, 22, "Email format is incorrect")),
        ({"email": "a\0b@example.org"}, (400, 22, "Email format is incorrect")),
        ({"firstName": " "}, (400, 26, "firstName size must be between 1 and 50")),
        ({"lastName": "x" * 51}, (400, 26, "lastName size must be between 1 and 50")),
        ({"password": "seven77"}, (400, 26, "password size must be between 8 and 255")),
        ({"password": "x" * 256}, (400, 26, "password size must be between 8 and 255")),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    admin: Admin, owner: Person, changed: dict[str, str], told: tuple[int, int, str]
) -> None:
    body = {"email": "x@example.org", "firstName": "Ada", "lastName": "Byron", "password": PASSWORD}
    assert refused(admin.call("POST", "/user/register", json=body | changed)) == told


def test_an_e_mail_has_one_account_whatever_its_letter_case(admin: Admin, nobody: Person) -> None:
    assert refused(admin.register(nobody.email.upper())) == (400, 4, "This email already registered")


def test_neither_passwords_nor_tokens_are_stored(admin: Admin, nobody: Person) -> None:
    tables = ("users", "sessions", "refresh_tokens", "attempts")
    everything = str([admin.sql(f"SELECT t::text FROM {table} t") for table in tables])
    assert nobody.email in everything
    assert PASSWORD not in everything
    assert nobody.token not in everything
    ((hashed,),) = admin.sql("SELECT password FROM users WHERE id = %s", nobody.id)
    assert hashed.startswith("$argon2id$")


def test_one_changes_ones_own_name(admin: Admin, nobody: Person) -> None:
    changed = admin.call("PUT", "/user/update", nobody, json={"firstName": "Grace", "lastName": "Hopper"})
    assert (changed.json()["firstName"], changed.json()["lastName"]) == ("Grace", "Hopper")
    assert admin.call("GET", "/user/me", nobody).json() == changed.json()


def test_lists_are_json_arrays_as_in_compreface(
    admin: Admin, owner: Person, boss: Person, nobody: Person
) -> None:
    assert admin.call("GET", "/user/global/roles", nobody).json() == ["OWNER", "ADMINISTRATOR", "USER"]
    assignable = [admin.call("GET", "/user/global/assign-roles", who).json() for who in (owner, boss, nobody)]
    assert assignable == [["OWNER", "ADMINISTRATOR", "USER"], ["ADMINISTRATOR", "USER"], []]
    users = admin.call("GET", "/user/roles", nobody).json()
    assert {"userId", "firstName", "lastName", "role", "email"} == set(users[0])
    assert nobody.email in [user["email"] for user in users]
    found = admin.call("GET", f"/user/autocomplete?query={nobody.email[:10].upper()}", nobody).json()
    assert found == {"query": nobody.email[:10].upper(), "length": 1, "results": [nobody.email]}


def test_a_role_counts_at_once(admin: Admin, owner: Person, nobody: Person) -> None:
    def give(role: str) -> None:
        body = {"userId": nobody.id, "role": role}
        assert admin.call("PUT", "/user/global/role", owner, json=body).json()["role"] == role

    def made() -> int:
        return admin.call("POST", "/app", nobody, json={"name": os.urandom(8).hex()}).status_code

    assert made() == 400
    give("ADMINISTRATOR")
    assert made() == 201
    give("USER")
    assert made() == 400


def test_what_may_not_be_done_to_roles(admin: Admin, owner: Person, boss: Person, nobody: Person) -> None:
    def give(who: Person, to: str, role: str) -> tuple[int, int, str]:
        return refused(admin.call("PUT", "/user/global/role", who, json={"userId": to, "role": role}))

    not_allowed = (400, 9, "Action not allowed for current user")
    assert give(owner, owner.id, "USER") == (400, 14, "User can't change their role")
    assert give(boss, owner.id, "USER") == not_allowed
    assert give(boss, nobody.id, "OWNER") == not_allowed
    unknown = "00000000-0000-0000-0000-000000000000"
    assert give(boss, unknown, "USER") == (404, 16, f"User {unknown} does not exist")
    assert give(boss, nobody.id, "ROLE_UNSPECIFIED")[:2] == (400, 26)
    assert give(boss, nobody.id, "BOSS")[:2] == (400, 0)


def test_the_installation_passes_to_another_owner(fresh: Admin) -> None:
    fresh.sql("DELETE FROM users")
    first, second = fresh.person("first", "OWNER"), fresh.person("second")
    done = fresh.call("PUT", "/user/global/role", first, json={"userId": second.id, "role": "OWNER"})
    assert done.json()["role"] == "OWNER"
    assert fresh.call("GET", "/user/me", first).json()["role"] == "ADMINISTRATOR"
    assert fresh.call("GET", "/user/me", second).json()["role"] == "OWNER"


@pytest.mark.parametrize("replacer", ["", "?replacer=deleter", "?replacer=owner"])
def test_who_is_deleted_leaves_applications_to_another(
    admin: Admin, owner: Person, boss: Person, nobody: Person, replacer: str
) -> None:
    app = admin.application(nobody, boss)
    heir = owner if "owner" in replacer else boss
    admin.join(app, heir, "USER")  # whoever inherits may be a member already, or not
    other = admin.application(nobody, boss)
    assert admin.call("DELETE", f"/user/{nobody.id}{replacer}", boss).status_code == 200
    for each in (app, other):
        assert admin.call("GET", f"/app/{each}", owner).json()["owner"]["userId"] == heir.id
    assert admin.call("GET", "/user/me", nobody).status_code == 401


def test_one_may_delete_oneself_and_the_owner_inherits(
    admin: Admin, owner: Person, boss: Person, nobody: Person
) -> None:
    app = admin.application(nobody, boss)
    assert admin.call("DELETE", f"/user/{nobody.id}", nobody).status_code == 200
    assert admin.call("GET", f"/app/{app}", boss).json()["owner"]["userId"] == owner.id


def test_the_owner_stays(admin: Admin, owner: Person, boss: Person) -> None:
    for who in (owner, boss):
        told = refused(admin.call("DELETE", f"/user/{owner.id}", who))
        assert told == (400, 9, "Global owner cannot be removed!")


def test_what_anybody_may_know(admin: Admin) -> None:
    assert admin.call("GET", "/status").json() == {"status": "OK"}
    assert admin.call("GET", "/config").json()["mailServiceEnabled"] is False
    told = refused(admin.call("GET", "/user/demo/model"))
    assert told == (404, 404, "The Demo model is not available any more!")


def test_no_other_site_s_page_is_told_that_it_may_call(admin: Admin) -> None:
    answer = admin.call("GET", "/status", headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers
