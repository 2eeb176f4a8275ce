"""Sign-in by another provider, with a real one that can be told to lie."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey

from admin.provider import PAUSE, Provider
from serving.faults import ProviderRefused, ProviderUnavailable
from store.identities import Leaving
from tests.admin.conftest import PASSWORD, Admin, admin_behind_envoy
from tests.admin.provider import CLIENT, SECRET, ProviderServer, provider_at
from tests.admin.test_accounts import refused
from tests.plain import NO_TLS
from tests.postgres import Server, free_port, new_database

PUBLIC = "http://mien.example"


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with provider_at(free_port()) as server:
        yield server


@pytest.fixture
def provider(server: ProviderServer) -> ProviderServer:
    server.reset()
    return server


@pytest.fixture(scope="module")
def site(
    server: ProviderServer, postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Admin]:
    settings = {
        "ADMIN_PUBLIC_URL": PUBLIC,
        "ADMIN_OIDC_ISSUER": server.issuer,
        "ADMIN_OIDC_CLIENT_ID": CLIENT,
        "ADMIN_OIDC_CLIENT_SECRET": SECRET,
        "ADMIN_SIGN_UP": "closed",
    }
    folder = tmp_path_factory.mktemp("oidc")
    with new_database(postgres) as url, admin_behind_envoy(url, folder, **settings) as site:
        yield site


@pytest.fixture(autouse=True)
def _nobody(site: Admin) -> None:
    """Each test begins with an owner who signs in by password."""
    site.sql("DELETE FROM users")
    site.person("owner", "OWNER")


def browser() -> httpx.Client:
    return httpx.Client(verify=NO_TLS, timeout=30)


def returned(site: Admin, client: httpx.Client) -> str:
    """Where the provider sends a browser back to, that has left for it."""
    left = client.get(f"{site.url}/admin/oidc/start")
    assert left.status_code == 302, left.text
    back = client.get(left.headers["location"]).headers["location"]
    assert back.startswith(f"{PUBLIC}/admin/oidc/callback?")
    return str(back.replace(PUBLIC, site.url))


def signed_in(site: Admin, client: httpx.Client) -> httpx.Response:
    # As browsers send it: the page that leads there is another site's.
    return client.get(returned(site, client), headers={"sec-fetch-site": "cross-site"})


def me(site: Admin, client: httpx.Client) -> dict[str, Any]:
    return client.get(f"{site.url}/admin/user/me").json()  # type: ignore[no-any-return]


def test_whom_the_provider_knows_signs_in_and_is_the_same_the_next_time(
    site: Admin, provider: ProviderServer
) -> None:
    seen = []
    for email in ("ada@provider.example", "renamed@provider.example"):
        provider.claims = {"email": email}
        with browser() as client:
            answer = signed_in(site, client)
            assert (answer.status_code, answer.headers["location"]) == (302, "/")
            seen.append(me(site, client))
    assert seen[0] == seen[1]
    assert {key: seen[0][key] for key in ("email", "firstName", "lastName", "role")} == {
        "email": "ada@provider.example",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "role": "USER",
    }
    told = site.call("GET", "/config").json()
    assert (told["oidcEnabled"], told["signUpOpen"]) == (True, False)


def test_an_account_of_the_same_e_mail_is_theirs_and_whoever_made_it_is_out(
    site: Admin, provider: ProviderServer
) -> None:
    squatter = site.person("squatter")
    provider.claims = {"email": squatter.email}
    with browser() as client:
        signed_in(site, client)
        assert me(site, client)["userId"] == squatter.id
    assert site.call("GET", "/user/me", squatter).status_code == 401
    assert site.sign_in(squatter.email, PASSWORD).status_code == 401


def test_an_account_that_somebody_has_there_is_nobody_else_s_of_the_same_e_mail(
    site: Admin, provider: ProviderServer
) -> None:
    with browser() as client, browser() as other:
        signed_in(site, client)
        provider.claims = {"sub": "2"}
        status, code, message = refused(signed_in(site, other))
        assert (status, code) == (401, 0)
        assert "another" in message
        assert "userId" not in me(site, other)
        assert me(site, client)["email"] == "ada@provider.example"


OTHER = ECKey.generate_key("P-256", {"kid": "first", "alg": "ES256"})
LIES: dict[str, dict[str, Any]] = {
    "issuer": {"iss": "https://elsewhere.example"},
    "audience": {"aud": "somebody else"},
    "expired": {"exp": int(time.time()) - 3600},
    "no expiry": {"exp": None},
    "nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "no subject": {"sub": None},
    "for another party": {"aud": [CLIENT, "other"], "azp": "other"},
    "e-mail not verified": {"email_verified": False},
    "verified in words": {"email_verified": "true"},
    "no e-mail": {"email": None},
    "no e-mail of ours": {"email": "ada"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_says_something_else_signs_nobody_in(
    site: Admin, provider: ProviderServer, lie: str
) -> None:
    provider.claims = LIES[lie]
    with browser() as client:
        assert refused(signed_in(site, client))[:2] == (401, 0)
        assert "userId" not in me(site, client)
    assert len(site.sql("SELECT 1 FROM users")) == 1


@pytest.mark.parametrize("forgery", ["another key", "a secret for a key", "no signature"])
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    site: Admin, provider: ProviderServer, forgery: str
) -> None:
    match forgery:
        case "another key":
            provider.sign_with = OTHER
        case "a secret for a key":
            provider.sign_with, provider.algorithm = OctKey.import_key(SECRET * 2), "HS256"
        case _:
            provider.sign_with, provider.algorithm = OctKey.import_key(SECRET * 2), "none"
    with browser() as client:
        assert refused(signed_in(site, client))[:2] == (401, 0)


async def test_a_key_that_is_new_there_is_fetched_but_not_for_every_token(provider: ProviderServer) -> None:
    ours = Provider(provider.issuer, CLIENT, SECRET, f"{PUBLIC}/back")
    leaving = Leaving("state", "nonce", "verifier" * 8)

    async def asked() -> str:
        url = await ours.authorization_url(leaving)
        back = provider.authorize({name: values[0] for name, values in parse_qs(urlsplit(url).query).items()})
        return (await ours.identity(parse_qs(urlsplit(back).query)["code"][0], leaving)).subject

    assert await asked() == "1"
    provider.key = ECKey.generate_key("P-256", {"kid": "second", "alg": "ES256", "use": "sig"})
    with pytest.raises(ProviderRefused):
        await asked()
    ours._fetched -= PAUSE
    assert await asked() == "1"
    await ours._http.aclose()


async def test_a_provider_that_is_away_is_told_so() -> None:
    ours = Provider(f"http://127.0.0.1:{free_port()}", CLIENT, SECRET, f"{PUBLIC}/back")
    with pytest.raises(ProviderUnavailable):
        await ours.authorization_url(Leaving("state", "nonce", "verifier"))
    await ours._http.aclose()


def test_a_sign_in_comes_back_once_and_to_the_browser_that_began_it(
    site: Admin, provider: ProviderServer
) -> None:
    with browser() as client, browser() as other:
        url = returned(site, client)
        assert refused(other.get(url))[:2] == (401, 0)  # which has no state
        other.get(f"{site.url}/admin/oidc/start")
        assert refused(other.get(url))[:2] == (401, 0)  # which has another
        state = parse_qs(urlsplit(url).query)["state"][0]
        cookies = {"cookie": f"OIDC_STATE={state}"}
        assert client.get(url).status_code == 302
        assert refused(httpx.get(url, headers=cookies))[:2] == (401, 0)


def test_what_took_too_long_or_was_refused_there_signs_nobody_in(
    site: Admin, provider: ProviderServer
) -> None:
    with browser() as client:
        url = returned(site, client)
        site.sql("UPDATE oidc_states SET expires_at = now()")
        assert refused(client.get(url))[:2] == (401, 0)
        state = parse_qs(urlsplit(returned(site, client)).query)["state"][0]
        denied = f"{site.url}/admin/oidc/callback?state={state}&error=access_denied"
        assert refused(client.get(denied))[:2] == (401, 0)
        url = returned(site, client).replace("code-", "none-")
        assert refused(client.get(url))[:2] == (401, 0)


def test_without_a_provider_there_is_none(admin: Admin) -> None:
    for path in ("/oidc/start", "/oidc/callback?state=x&code=y"):
        assert refused(admin.call("GET", path))[:2] == (404, 0)


def test_a_state_is_no_cookie_for_scripts_and_other_sites(site: Admin) -> None:
    left = site.call("GET", "/oidc/start")
    (cookie,) = left.headers.get_list("set-cookie")
    assert cookie.endswith("; Path=/admin/oidc; Max-Age=600; HttpOnly; SameSite=Lax")
