"""Applications, their members and their services, by REST as CompreFace's clients use it."""

import os
from typing import Any
from uuid import uuid4

import pytest

from tests.admin.conftest import Admin, Person
from tests.admin.test_accounts import refused

NOT_ALLOWED = (400, 9, "Action not allowed for current user")


@pytest.fixture
def app(admin: Admin, boss: Person, nobody: Person) -> str:
    """An application that `nobody` owns."""
    return admin.application(nobody, boss)


def service(admin: Admin, app: str, who: Person, name: str = "door", kind: str = "RECOGNITION") -> Any:
    made = admin.call("POST", f"/app/{app}/model", who, json={"name": name, "type": kind})
    assert made.status_code == 201, made.text
    return made.json()


def test_an_application_is_made_listed_renamed_and_deleted(
    admin: Admin, owner: Person, boss: Person, nobody: Person
) -> None:
    name = os.urandom(8).hex()
    made = admin.call("POST", "/app", boss, json={"name": name})
    assert made.status_code == 201
    app = made.json()
    person = {"userId": boss.id, "firstName": "Ada", "lastName": "Byron"}
    assert app == {"id": app["id"], "name": name, "role": "OWNER", "owner": person}
    assert admin.call("GET", f"/app/{app['id']}", owner).json() == app
    assert app in admin.call("GET", "/apps", owner).json()
    assert admin.call("GET", "/apps", nobody).json() == []
    again = admin.call("POST", "/app", boss, json={"name": name})
    assert refused(again) == (400, 17, f"Name {name} is not unique")
    renamed = admin.call("PUT", f"/app/{app['id']}", boss, json={"name": f"{name}2"})
    assert renamed.json() == app | {"name": f"{name}2"}
    assert admin.call("DELETE", f"/app/{app['id']}", boss).status_code == 200
    told = refused(admin.call("GET", f"/app/{app['id']}", boss))
    assert told == (404, 2, f"App {app['id']} not found")


@pytest.mark.parametrize(
    ("name", "code"), [("", 26), (" ", 26), ("x" * 51, 26), ("a/b", 36), ("a;b", 36), ("a\0", 26)]
)
def test_a_name_that_cannot_be_is_refused(admin: Admin, boss: Person, app: str, name: str, code: int) -> None:
    for verb, path in (("POST", "/app"), ("PUT", f"/app/{app}"), ("POST", f"/app/{app}/model")):
        body = {"name": name, "type": "DETECTION"}
        assert refused(admin.call(verb, path, boss, json=body))[:2] == (400, code)


def test_members_see_only_their_applications(admin: Admin, boss: Person, nobody: Person, app: str) -> None:
    other = admin.application(boss, boss)
    assert [each["id"] for each in admin.call("GET", "/apps", nobody).json()] == [app]
    assert {app, other} <= {each["id"] for each in admin.call("GET", "/apps", boss).json()}


def test_members_are_invited_found_changed_and_removed(admin: Admin, nobody: Person, app: str) -> None:
    guest = admin.person("guest")
    invitation = {"userEmail": guest.email.upper(), "role": "USER"}
    made = admin.call("POST", f"/app/{app}/invite", nobody, json=invitation)
    assert made.status_code == 201
    assert made.json() == {
        "userId": guest.id,
        "firstName": "Ada",
        "lastName": "Byron",
        "role": "USER",
        "email": guest.email,
    }
    again = admin.call("POST", f"/app/{app}/invite", nobody, json=invitation)
    assert refused(again) == (400, 19, "User already has access to the application")
    unknown = admin.call("POST", f"/app/{app}/invite", nobody, json=invitation | {"userEmail": "x@y.example"})
    assert refused(unknown) == (404, 16, "User x@y.example does not exist")
    assert len(admin.call("GET", f"/app/{app}/roles", guest).json()) == 2
    found = admin.call("GET", f"/app/{app}/roles?search=GUEST", guest).json()
    assert found == [made.json()]
    change = {"userId": guest.id, "role": "ADMINISTRATOR"}
    assert admin.call("PUT", f"/app/{app}/role", nobody, json=change).json()["role"] == "ADMINISTRATOR"
    assert admin.call("DELETE", f"/app/{app}/user/{guest.id}", guest).status_code == 200  # by themselves
    assert refused(admin.call("GET", f"/app/{app}", guest))[:2] == (404, 2)
    gone = admin.call("DELETE", f"/app/{app}/user/{guest.id}", nobody)
    assert refused(gone) == (404, 16, f"User {guest.id} does not exist")


def test_an_application_passes_to_another_owner(admin: Admin, boss: Person, nobody: Person, app: str) -> None:
    heir, late = admin.person("heir"), admin.person("late")
    admin.join(app, heir, "USER")
    change = {"userId": heir.id, "role": "OWNER"}
    assert admin.call("PUT", f"/app/{app}/role", nobody, json=change).json()["role"] == "OWNER"
    assert admin.call("GET", f"/app/{app}", nobody).json()["role"] == "ADMINISTRATOR"
    assert admin.call("GET", f"/app/{app}", nobody).json()["owner"]["userId"] == heir.id
    invitation = {"userEmail": late.email, "role": "OWNER"}
    assert admin.call("POST", f"/app/{app}/invite", heir, json=invitation).json()["role"] == "OWNER"
    roles = {each["userId"]: each["role"] for each in admin.call("GET", f"/app/{app}/roles", boss).json()}
    assert roles == {nobody.id: "ADMINISTRATOR", heir.id: "ADMINISTRATOR", late.id: "OWNER"}


def test_nobody_but_the_owner_touches_the_owner(admin: Admin, boss: Person, nobody: Person, app: str) -> None:
    for who in (nobody, boss):
        assert refused(admin.call("DELETE", f"/app/{app}/user/{nobody.id}", who)) == NOT_ALLOWED
    demotion = {"userId": nobody.id, "role": "USER"}
    assert refused(admin.call("PUT", f"/app/{app}/role", boss, json=demotion)) == NOT_ALLOWED
    own = admin.call("PUT", f"/app/{app}/role", nobody, json=demotion)
    assert refused(own) == (400, 14, "User can't change their role")


def test_who_may_give_roles_is_told_which(admin: Admin, boss: Person, nobody: Person, app: str) -> None:
    guest = admin.person("guest")
    admin.join(app, guest, "ADMINISTRATOR")
    told = [admin.call("GET", f"/app/{app}/assign-roles", who).json() for who in (nobody, boss, guest)]
    assert told == [["OWNER", "ADMINISTRATOR", "USER"]] * 2 + [[]]


def test_a_service_is_made_listed_renamed_and_deleted(admin: Admin, nobody: Person, app: str) -> None:
    door = service(admin, app, nobody)
    assert door["apiKey"]
    assert door["type"] == "RECOGNITION"
    base = f"/app/{app}/model/{door['id']}"
    listed = admin.call("GET", f"/app/{app}/models", nobody).json()
    assert listed == [door | {"apiKey": ""}]
    counts = {"subjectCount": 0, "imageCount": 0}
    assert admin.call("GET", base, nobody).json() == door | {"apiKey": ""} | counts
    for taken in (
        admin.call("POST", f"/app/{app}/model", nobody, json={"name": "door", "type": "DETECTION"}),
        admin.call("POST", base, nobody, json={"name": "door"}),
        admin.call("PUT", base, nobody, json={"name": "door"}),
    ):
        assert refused(taken) == (400, 17, "Name door is not unique")
    assert admin.call("PUT", base, nobody, json={"name": "gate"}).json()["name"] == "gate"
    rotated = admin.call("PUT", f"{base}/apikey", nobody, json={}).json()
    assert rotated["apiKey"] not in ("", door["apiKey"])
    copy = admin.call("POST", base, nobody, json={"name": "copy"})
    assert copy.status_code == 201
    assert (copy.json()["name"], copy.json()["type"]) == ("copy", "RECOGNITION")
    assert copy.json()["apiKey"] not in ("", door["apiKey"], rotated["apiKey"])
    assert admin.call("GET", f"{base}/statistics", nobody).json() == []
    assert admin.call("DELETE", base, nobody).status_code == 200
    assert refused(admin.call("GET", base, nobody)) == (404, 10, f"Model {door['id']} not found")


def test_the_types_of_services_are_compreface_s(admin: Admin, nobody: Person, app: str) -> None:
    for kind in ("RECOGNITION", "DETECTION", "VERIFY"):
        assert service(admin, app, nobody, kind.lower(), kind)["type"] == kind
    for kind in ("GUESSING", "TYPE_UNSPECIFIED"):
        body = {"name": "x", "type": kind}
        assert refused(admin.call("POST", f"/app/{app}/model", nobody, json=body))[:2] == (400, 0)


@pytest.mark.parametrize(
    ("verb", "path"),
    [("GET", ""), ("POST", ""), ("PUT", ""), ("DELETE", ""), ("PUT", "/apikey"), ("GET", "/statistics")],
)
def test_a_service_of_another_application_is_as_unknown_as_any(
    admin: Admin, boss: Person, nobody: Person, app: str, verb: str, path: str
) -> None:
    theirs = service(admin, admin.application(boss, boss), boss)["id"]
    body = {} if verb in ("GET", "DELETE") else {"json": {"name": "x"}}
    for model in (theirs, str(uuid4()), "junk"):
        told = refused(admin.call(verb, f"/app/{app}/model/{model}{path}", nobody, **body))
        assert told == (404, 10, f"Model {model} not found")
