"""A small OpenID provider, which does what it is told, rightly or wrongly."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

CLIENT, SECRET = "mien", "a secret between the two"


class ProviderServer:
    """`claims` changes what its tokens say; `sign_with` by which key, if not by the published one."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._key = ECKey.generate_key("P-256", {"kid": "first", "alg": "ES256", "use": "sig"})
        self.reset()
        self._asked: dict[str, dict[str, str]] = {}  # by the code

    def reset(self) -> None:
        self.key = self._key  # that it publishes
        self.claims: dict[str, Any] = {}
        self.sign_with: ECKey | OctKey | None = None
        self.algorithm = "ES256"

    def discovery(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "/auth?tenant=1", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {"issuer": self.issuer} | {name: self.issuer + path for name, path in paths.items()}

    def authorize(self, asked: dict[str, str]) -> str:
        """Signs everybody in, and says where they are sent back to."""
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert set(asked["scope"].split()) >= {"openid", "email"}
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._asked)}"
        self._asked[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self._asked.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if (
            asked is None
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
            or asked["redirect_uri"] != form["redirect_uri"]
            or (form["client_id"], form["client_secret"]) != (CLIENT, SECRET)
        ):
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60}
        claims |= {"nonce": asked["nonce"], "email": "ada@provider.example", "email_verified": True}
        claims |= {"given_name": "Ada", "family_name": "Lovelace"} | self.claims
        key = self.sign_with or self.key
        if self.algorithm == "none":
            parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
            encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
            return {"id_token": ".".join([*encoded, ""]), "token_type": "Bearer"}
        header = {"alg": self.algorithm, "kid": key.kid or "first"}
        token = jwt.encode(header, claims, key, algorithms=[self.algorithm])
        return {"id_token": token, "token_type": "Bearer", "access_token": "x"}

    def keys(self) -> dict[str, Any]:
        return dict(KeySet([self.key]).as_dict(private=False))


@contextmanager
def provider_at(port: int) -> Iterator[ProviderServer]:
    provider = ProviderServer(port)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
            if path == "/auth":
                self.send_response(302)
                self.send_header("location", provider.authorize(query))
                self.end_headers()
            else:
                self._answer(provider.keys() if path == "/keys" else provider.discovery())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            told = provider.token({name: values[0] for name, values in parse_qs(body).items()})
            self._answer(told or {"error": "invalid_grant"}, 200 if told else 400)

        def _answer(self, told: dict[str, Any], status: int = 200) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield provider
        server.shutdown()
        thread.join()
