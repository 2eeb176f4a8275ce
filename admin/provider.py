"""Another provider to sign in by, as OpenID Connect has it: the code flow with PKCE."""

import asyncio
import base64
import hashlib
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from admin.fields import LONGEST_NAME
from serving.faults import ProviderRefused, ProviderUnavailable
from store.identities import Identity, Leaving

PATIENCE = 5.0  # seconds that it may take to answer
FRESH = 3600.0  # seconds that what it says of itself is believed
PAUSE = 60.0  # seconds until its keys are fetched again because one is unknown
LEEWAY = 60  # seconds that its clock may differ from ours

# None that is keyed by a secret, and not none.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Provider:
    """Raises ProviderUnavailable if it does not answer, ProviderRefused if it cannot be believed."""

    def __init__(self, issuer: str, client_id: str, secret: str | None, redirect_uri: str) -> None:
        self._issuer, self._client_id, self._secret = issuer, client_id, secret
        self._redirect_uri = redirect_uri
        self._http = httpx.AsyncClient(timeout=PATIENCE)
        self._fetching = asyncio.Lock()
        self._told: dict[str, Any] = {}
        self._keys = KeySet([])
        self._fetched = float("-inf")

    async def authorization_url(self, leaving: Leaving) -> str:
        """Where a browser is sent to."""
        told = await self._discovered()
        digest = hashlib.sha256(leaving.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email profile",
            "state": leaving.state,
            "nonce": leaving.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        url = str(told["authorization_endpoint"])
        return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(asked)}"

    async def identity(self, code: str, leaving: Leaving) -> Identity:
        """Whom the code is of."""
        told = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._client_id,
            "code_verifier": leaving.verifier,
        } | ({"client_secret": self._secret} if self._secret else {})
        answer = await self._asked("POST", told["token_endpoint"], data=form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderRefused("the provider gave no ID token; begin the sign-in again")
        return _identity(self._issuer, await self._verified(token, leaving.nonce))

    async def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, whose signature, issuer, audience, expiry and nonce must be right."""
        try:
            claims = self._decoded(token)
        except (JoseError, ValueError):
            # Signed by a key that is new there; or by none.
            await self._discovered(newer_than=PAUSE)
            try:
                claims = self._decoded(token)
            except (JoseError, ValueError) as error:
                raise ProviderRefused("the provider's ID token is not signed by it") from error
        rules = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            rules.validate(claims)
        except JoseError as error:
            raise ProviderRefused("the provider's ID token is not of this sign-in") from error
        if claims.get("azp", self._client_id) != self._client_id:
            raise ProviderRefused("the provider's ID token is for somebody else")
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        return jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims

    async def _discovered(self, newer_than: float = FRESH) -> dict[str, Any]:
        """What it says of itself, and with it its keys."""
        async with self._fetching:  # who comes meanwhile waits for the same answer
            if time.monotonic() - self._fetched > newer_than:
                url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                told = await self._asked("GET", url)
                if told.get("issuer") != self._issuer:
                    raise ProviderRefused("the provider calls itself by another name than ADMIN_OIDC_ISSUER")
                try:
                    self._keys = KeySet.import_key_set(await self._asked("GET", told["jwks_uri"]))  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError) as error:
                    raise ProviderRefused("the provider's keys cannot be read") from error
                self._told, self._fetched = told, time.monotonic()
            return self._told

    async def _asked(self, verb: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(verb, url, headers={"accept": "application/json"}, **more)
            told = answer.json() if answer.status_code < 500 else None
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderUnavailable("the provider cannot be reached; try again") from error
        if told is None:
            raise ProviderUnavailable("the provider is out of order; try again")
        if answer.status_code >= 400 or not isinstance(told, dict):
            raise ProviderRefused("the provider refuses this sign-in; begin again")
        return told


def _identity(issuer: str, claims: dict[str, Any]) -> Identity:
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise ProviderRefused("the provider has not verified your e-mail")
    whole = str(claims.get("name") or email.partition("@")[0])
    first = str(claims.get("given_name") or whole.partition(" ")[0])
    last = str(claims.get("family_name") or whole.partition(" ")[2] or first)
    names = (each.replace("\0", "")[:LONGEST_NAME] for each in (first, last))
    return Identity(issuer, str(claims["sub"]), email, *names)
