"""Signing in and out: sessions begin, go on and end."""

import json
from collections.abc import Mapping
from io import BytesIO

from google.api import httpbody_pb2
from multipart import MultipartError, parse_form_data

from admin.callers import acts, caller
from admin.cookies import (
    REFRESH_COOKIE,
    Headers,
    check_site,
    clear_cookies,
    cookie,
    is_rest,
    set_cookies,
)
from admin.parts import Parts
from mien.v1 import account_pb2 as pb
from serving.faults import CredentialsWrong, Fault, TooManyAttempts
from serving.guard import Context
from serving.origin import origin, owner
from serving.status import reason_of
from store.sessions import ACCESS, Tokens, begin_session, end_session, end_sessions, refresh_session
from store.throttling import Limit, count_attempt, forgive
from store.users import find_by_email, password_of

OF_ACCOUNT = Limit("sign-in of an account", 10, 15 * 60)
FROM_ADDRESS = Limit("sign-in from an address", 50, 15 * 60)

_WRONG = "no account has this e-mail and this password"
_STATUS = {TooManyAttempts: 429, CredentialsWrong: 400}  # HTTP, of what OAuth's endpoint refuses


class SigningIn(Parts):
    async def SignIn(self, request: pb.SignInRequest, context: Context) -> pb.Session:
        check_site(context)
        tokens = await self._sign_in(request.email, request.password, context)
        return await _begun(tokens, context)

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Context) -> pb.Session:
        check_site(context)
        return await _begun(await self._refresh(request.refresh_token), context)

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> httpbody_pb2.HttpBody:
        check_site(context)
        form = _form(request.body)
        try:
            match form.get("grant_type"):
                case "password":
                    tokens = await self._sign_in(form.get("username", ""), form.get("password", ""), context)
                case "refresh_token":
                    refresh = form.get("refresh_token") or cookie(context, REFRESH_COOKIE) or ""
                    tokens = await self._refresh(refresh)
                case _:
                    return await _answer(context, {"error": "unsupported_grant_type"}, 400)
        except (CredentialsWrong, TooManyAttempts) as fault:
            self.metrics.refused(fault)  # an answer like any other, to gRPC
            return await _refuse(context, fault)
        told = {
            "access_token": tokens.access,
            "token_type": "bearer",  # nosec B105 # a word of OAuth
            "refresh_token": tokens.refresh,
            "expires_in": ACCESS,
            "scope": "all",
        }
        return await _answer(context, told, 200, set_cookies(context, tokens))

    async def SignOut(self, request: pb.SignOutRequest, context: Context) -> pb.SignOutResponse:
        async with self.database.transaction() as connection:
            await end_session(connection, caller().session_id, caller().user.id)
        await context.send_initial_metadata(clear_cookies(context))
        return pb.SignOutResponse()

    async def SignOutEverywhere(
        self, request: pb.SignOutEverywhereRequest, context: Context
    ) -> pb.SignOutEverywhereResponse:
        async with self.database.transaction() as connection:
            await end_sessions(connection, caller().user.id)
        await context.send_initial_metadata(clear_cookies(context))
        return pb.SignOutEverywhereResponse()

    async def _sign_in(self, email: str, password: str, context: Context) -> Tokens:
        """The same steps in the same time, whether there is such an account or not."""
        account, address = email.casefold(), owner(context)
        try:
            async with self.database.transaction() as connection:
                await count_attempt(connection, FROM_ADDRESS, address)
            async with self.database.transaction() as connection:
                await count_attempt(connection, OF_ACCOUNT, account)
        except TooManyAttempts as fault:
            self.attempts.note("session.refused", reason_of(fault), origin(context))
            raise
        async with self.database.transaction() as connection:
            user = await find_by_email(connection, email.replace("\0", ""))
            hashed = await password_of(connection, user.id) if user else None
        if not await self.passwords.check(password, hashed) or user is None:
            raise self._wrong(context)
        async with self.database.transaction() as connection:
            # Who has set another password meanwhile has ended all sessions: none begins by the old one.
            if await password_of(connection, user.id, lock=True) != hashed:
                raise self._wrong(context)
            acts(user.id, context)
            await forgive(connection, OF_ACCOUNT, account, all_of_them=True)
            await forgive(connection, FROM_ADDRESS, address, all_of_them=False)
            return await begin_session(connection, user.id)

    def _wrong(self, context: Context) -> CredentialsWrong:
        self.attempts.note("session.refused", "CREDENTIALS_WRONG", origin(context))
        return CredentialsWrong(_WRONG)

    async def _refresh(self, token: str) -> Tokens:
        async with self.database.transaction() as connection:
            tokens = await refresh_session(connection, token)
        if tokens is None:
            raise CredentialsWrong("the refresh token is good no more; sign in")
        return tokens


async def _begun(tokens: Tokens, context: Context) -> pb.Session:
    if is_rest(context):
        await context.send_initial_metadata(set_cookies(context, tokens))
    return pb.Session(access_token=tokens.access, expires_in=ACCESS, refresh_token=tokens.refresh)


def _form(body: httpbody_pb2.HttpBody) -> dict[str, str]:
    """The fields of a form, as OAuth sends it or as CompreFace's pages do."""
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": body.content_type,
        "CONTENT_LENGTH": str(len(body.data)),
        "wsgi.input": BytesIO(body.data),
    }
    try:
        fields, _ = parse_form_data(environ, strict=True, part_limit=20, memory_limit=1 << 16)
    except MultipartError:
        return {}
    return {name: fields[name] for name in fields}


async def _refuse(context: Context, fault: Fault) -> httpbody_pb2.HttpBody:
    told = {"error": "invalid_grant", "error_description": str(fault)}
    return await _answer(context, told, _STATUS[type(fault)])


async def _answer(
    context: Context, told: Mapping[str, object], status: int, headers: Headers = ()
) -> httpbody_pb2.HttpBody:
    await context.send_initial_metadata(
        (("x-http-status", str(status)), ("cache-control", "no-store"), *headers)
    )
    return httpbody_pb2.HttpBody(content_type="application/json", data=json.dumps(told).encode())
