"""Sessions: tokens, cookies, refresh, sign-out, and what slows down who guesses."""

import base64
import json

import grpc
import httpx
import pytest

from mien.v1 import account_pb2 as pb
from mien.v1.account_pb2_grpc import AccountServiceStub
from tests.admin.conftest import PASSWORD, Admin, Person
from tests.admin.test_accounts import refused
from tests.mesh.test_refusals import reason

BASIC = {"authorization": "Basic Q29tbW9uQ2xpZW50SWQ6cGFzc3dvcmQ="}
WRONG = (401, 0, "no account has this e-mail and this password")


def grant(admin: Admin, **form: str) -> httpx.Response:
    return admin.call("POST", "/oauth/token", data=form, headers=BASIC)


def cookies(answer: httpx.Response) -> dict[str, str]:
    return {line.split("=")[0]: line for line in answer.headers.get_list("set-cookie")}


def test_signing_in_as_clients_of_compreface_do(admin: Admin, nobody: Person) -> None:
    answer = grant(
        admin, username=nobody.email.upper(), password=PASSWORD, grant_type="password", scope="all"
    )
    assert answer.status_code == 200
    told = answer.json()
    assert {key: told[key] for key in ("token_type", "expires_in", "scope")} == {
        "token_type": "bearer",
        "expires_in": 900,
        "scope": "all",
    }
    access, refresh = cookies(answer)["CFSESSION"], cookies(answer)["REFRESH_TOKEN"]
    assert "; Path=/admin; Max-Age=900; HttpOnly; SameSite=Strict" in access
    assert "; Path=/admin/oauth/token; Max-Age=1209600; HttpOnly; SameSite=Strict" in refresh
    assert answer.headers["cache-control"] == "no-store"
    sent = {"cookie": f"CFSESSION={told['access_token']}; other=1"}
    assert admin.call("GET", "/user/me", headers=sent).json()["email"] == nobody.email


def test_a_form_of_parts_does_too(admin: Admin, nobody: Person) -> None:
    parts = {"username": nobody.email, "password": PASSWORD, "grant_type": "password"}
    answer = admin.call("POST", "/oauth/token", files={key: (None, value) for key, value in parts.items()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "username": "a@example.org", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "none"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
    ],
)
def test_what_oauth_refuses_it_tells_in_its_own_words(
    admin: Admin, owner: Person, form: dict[str, str], error: str
) -> None:
    answer = grant(admin, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert not cookies(answer)


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(admin: Admin, nobody: Person) -> None:
    first = admin.sign_in(nobody.email).json()
    second = grant(admin, grant_type="refresh_token", refresh_token=first["refreshToken"]).json()
    me = {"authorization": f"Bearer {second['access_token']}"}
    assert admin.call("GET", "/user/me", headers=me).status_code == 200
    old = {"authorization": f"Bearer {first['accessToken']}"}
    assert admin.call("GET", "/user/me", headers=old).status_code == 401
    # A thief comes with the old one, or the one who was robbed: nobody can tell.
    again = admin.call("POST", "/session/refresh", json={"refreshToken": first["refreshToken"]})
    assert refused(again)[:2] == (401, 0)
    assert admin.call("GET", "/user/me", headers=me).status_code == 401
    late = grant(admin, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert late.status_code == 400
    assert admin.call("GET", "/user/me", nobody).status_code == 200  # another session


def test_a_refresh_token_may_be_the_cookie(admin: Admin, nobody: Person) -> None:
    refresh = admin.sign_in(nobody.email).json()["refreshToken"]
    sent = {"cookie": f"REFRESH_TOKEN={refresh}"}
    answer = admin.call("POST", "/oauth/token", data={"grant_type": "refresh_token"}, headers=sent)
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != refresh


def test_tokens_end(admin: Admin, nobody: Person) -> None:
    session = admin.sign_in(nobody.email).json()
    admin.sql("UPDATE sessions SET access_expires_at = now()")
    told = refused(admin.call("GET", "/user/me", Person("", "", session["accessToken"])))
    assert told[:2] == (401, 0)
    admin.sql("UPDATE refresh_tokens SET expires_at = now()")
    assert grant(admin, grant_type="refresh_token", refresh_token=session["refreshToken"]).status_code == 400


def test_signing_out_ends_one_session_and_everywhere_all(admin: Admin, nobody: Person) -> None:
    sessions = [Person("", "", admin.sign_in(nobody.email).json()["accessToken"]) for _ in range(3)]
    answer = admin.call("DELETE", "/oauth/token", sessions[0])
    assert answer.status_code == 200
    assert all("Max-Age=0" in line for line in cookies(answer).values())
    assert len(cookies(answer)) == 2
    assert [admin.call("GET", "/user/me", each).status_code for each in sessions] == [401, 200, 200]
    admin.call("DELETE", "/sessions", sessions[1])
    assert [admin.call("GET", "/user/me", each).status_code for each in sessions] == [401, 401, 401]


def test_a_page_of_another_site_cannot_use_the_cookie(admin: Admin, nobody: Person) -> None:
    def from_page(**headers: str) -> int:
        sent = {"cookie": f"CFSESSION={nobody.token}", **headers}
        body = {"firstName": "Eve", "lastName": "Eve"}
        return admin.call("PUT", "/user/update", json=body, headers=sent).status_code

    assert from_page() == 200  # no browser
    assert from_page(**{"sec-fetch-site": "same-origin", "origin": admin.url}) == 200
    assert from_page(origin=admin.url) == 200  # plain HTTP of another host: browsers say no Sec-Fetch-Site
    for elsewhere in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": admin.url},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://evil.example", "x-forwarded-host": "evil.example"},
    ):
        assert from_page(**elsewhere) == 403, elsewhere
    # A token that a page has to put there by itself is no cookie: no other site's page knows it.
    evil = {"origin": "https://evil.example", **nobody.bearer}
    assert admin.call("GET", "/user/me", headers=evil).status_code == 200


@pytest.mark.parametrize("kind", ["form", "parts", "json", "text", "refresh", "refresh by form"])
def test_a_page_of_another_site_signs_nobody_in(admin: Admin, nobody: Person, kind: str) -> None:
    """A browser takes the cookies of what another site's form is answered, and would act as its author."""
    refresh = admin.sign_in(nobody.email).json()["refreshToken"]
    form = {"grant_type": "password", "username": nobody.email, "password": PASSWORD}
    body = {"email": nobody.email, "password": PASSWORD}
    path, sent = {
        "form": ("/oauth/token", {"data": form}),
        "parts": ("/oauth/token", {"files": {key: (None, value) for key, value in form.items()}}),
        "json": ("/session", {"json": body}),
        "text": ("/session", {"content": json.dumps(body), "headers": {"content-type": "text/plain"}}),
        "refresh": ("/session/refresh", {"json": {"refreshToken": refresh}}),
        "refresh by form": (
            "/oauth/token",
            {"data": {"grant_type": "refresh_token", "refresh_token": refresh}},
        ),
    }[kind]
    headers = sent.pop("headers", {})
    for elsewhere in (
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        answer = admin.call("POST", path, headers=headers | elsewhere, **sent)
        assert not cookies(answer), elsewhere
        assert refused(answer)[:2] == (403, 1), elsewhere
    ours = {"sec-fetch-site": "same-origin", "origin": admin.url}
    answer = admin.call("POST", path, headers=headers | ours, **sent)
    assert answer.status_code == 200
    assert len(cookies(answer)) == 2


def test_a_wrong_password_and_an_unknown_e_mail_are_told_the_same(admin: Admin, nobody: Person) -> None:
    assert refused(admin.sign_in(nobody.email, "wrong")) == WRONG
    assert refused(admin.sign_in("nobody@nowhere.example", "wrong")) == WRONG
    assert refused(admin.sign_in(nobody.email, "x" * 10_000)) == WRONG
    assert refused(admin.sign_in("\0", "wrong")) == WRONG


def test_an_account_is_locked_after_ten_failures_wherever_they_come_from(
    admin: Admin, nobody: Person
) -> None:
    assert admin.sign_in(nobody.email, "wrong").status_code == 401
    admin.sql("UPDATE attempts SET count = 9 WHERE what = 'sign-in of an account'")
    assert admin.sign_in(nobody.email, "wrong").status_code == 401
    status, code, message = refused(admin.sign_in(nobody.email))  # the right one
    assert (status, code) == (429, 0)
    assert "try again in 15 minutes" in message
    assert admin.call("GET", "/user/me", nobody).status_code == 200  # sessions go on
    admin.sql("UPDATE attempts SET expires_at = now()")
    assert admin.sign_in(nobody.email).status_code == 200
    assert admin.sign_in(nobody.email, "wrong").status_code == 401  # success has cleared the count


def test_an_e_mail_without_an_account_is_locked_just_so(admin: Admin, owner: Person) -> None:
    admin.sign_in("ghost@nowhere.example", "wrong")
    admin.sql("UPDATE attempts SET count = 10 WHERE what = 'sign-in of an account'")
    assert admin.sign_in("ghost@nowhere.example", "wrong").status_code == 429
    admin.sql("DELETE FROM attempts")


def test_an_address_is_slowed_down_whatever_e_mails_it_tries(admin: Admin, nobody: Person) -> None:
    admin.sql("DELETE FROM attempts")
    admin.sign_in(nobody.email)  # it is not held against the address
    admin.sign_in("one@nowhere.example", "wrong")
    admin.sql("UPDATE attempts SET count = 50 WHERE what = 'sign-in from an address'")
    assert admin.sign_in(nobody.email).status_code == 429
    # What a caller says of its own address counts for nothing.
    assert admin.sign_in(nobody.email, **{"x-forwarded-for": "203.0.113.7"}).status_code == 429
    admin.sql("DELETE FROM attempts")


def test_programs_are_told_reasons(admin: Admin, nobody: Person, channel: grpc.Channel) -> None:
    stub = AccountServiceStub(channel)
    session = stub.SignIn(pb.SignInRequest(email=nobody.email, password=PASSWORD))
    bearer = [("authorization", f"Bearer {session.access_token}")]
    assert stub.GetMe(pb.GetMeRequest(), metadata=bearer).email == nobody.email
    renewed = stub.RefreshSession(pb.RefreshSessionRequest(refresh_token=session.refresh_token))
    assert renewed.access_token != session.access_token
    for wanted, call in {
        "CREDENTIALS_WRONG": lambda: stub.SignIn(pb.SignInRequest(email=nobody.email, password="wrong")),
        "SIGN_IN_REQUIRED": lambda: stub.GetMe(pb.GetMeRequest(), metadata=bearer),
        "EMAIL_TAKEN": lambda: stub.SignUp(
            pb.SignUpRequest(email=nobody.email, first_name="A", last_name="B", password=PASSWORD)
        ),
        "MAIL_OFF": lambda: stub.ForgotPassword(pb.ForgotPasswordRequest(email=nobody.email)),
    }.items():
        with pytest.raises(grpc.RpcError) as error:
            call()
        assert reason(error.value) == wanted


@pytest.mark.parametrize("sent", ["Bearer", "Bearer none", "Basic x", base64.b64encode(b"x").decode()])
def test_what_is_no_token_opens_nothing(admin: Admin, owner: Person, sent: str) -> None:
    assert admin.call("GET", "/user/me", headers={"authorization": sent}).status_code == 401
