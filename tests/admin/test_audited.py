"""What people do in the admin service is told in the audit log, by whom, and of whom."""

import time
from typing import Any

import psycopg

from store.chain import read, seal_all
from tests.admin.conftest import Admin


def told(admin: Admin, of: str) -> list[tuple[Any, ...]]:
    """Of this object or by this actor: actor, action, object, and details."""
    with psycopg.connect(admin.database_url, autocommit=True) as connection:
        seal_all(connection)
        return [
            (str(each.actor_id or each.actor), each.action, str(each.object_id), dict(each.details))
            for each in read(connection)
            if of in (str(each.object_id), str(each.actor_id))
        ]


def test_an_application_s_life_is_told(admin: Admin) -> None:
    boss, ann = admin.person("boss", "ADMINISTRATOR"), admin.person("ann")
    app = admin.call("POST", "/app", boss, json={"name": "told"}).json()["id"]
    invited = {"userEmail": ann.email, "role": "USER"}
    assert admin.call("POST", f"/app/{app}/invite", boss, json=invited).status_code == 201
    admin.call("PUT", f"/app/{app}/role", boss, json={"userId": str(ann.id), "role": "ADMINISTRATOR"})
    model = admin.call("POST", f"/app/{app}/model", ann, json={"name": "door", "type": "RECOGNITION"}).json()
    admin.call("PUT", f"/app/{app}/model/{model['id']}/apikey", ann)
    admin.call("DELETE", f"/app/{app}/model/{model['id']}", boss)
    admin.call("DELETE", f"/app/{app}", boss)
    me, her = str(boss.id), str(ann.id)
    assert told(admin, app) == [
        (me, "application.created", app, {}),
        (me, "member.added", app, {"user": her, "role": "user"}),
        (me, "member.changed", app, {"user": her, "role": "administrator"}),
        (me, "application.deleted", app, {"services": 0}),
    ]
    service = [(who, action) for who, action, of, _ in told(admin, model["id"]) if of == model["id"]]
    assert service == [(her, "service.created"), (me, "service.deleted")]
    assert (her, "key.created") in [event[:2] for event in told(admin, her)]


def test_sign_in_and_out_is_told_and_so_is_what_was_refused(admin: Admin) -> None:
    ann = admin.person("ann")
    admin.sign_in(ann.email)
    admin.sign_in(ann.email, "not her password")
    assert admin.call("DELETE", "/oauth/token", ann).status_code == 200
    actions = [event[1] for event in told(admin, str(ann.id))]
    assert actions.count("session.opened") >= 1
    assert actions[-1] == "session.closed"
    deadline = time.monotonic() + 15  # refusals are counted for five seconds
    while not (refused := [event for event in told(admin, "None") if event[1] == "session.refused"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert all(event[0] == "nobody" and event[3]["attempts"] >= 1 for event in refused)
    assert ann.email not in str(told(admin, "None"))
