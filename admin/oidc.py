"""Sign-in by another provider: a browser goes there, and comes back."""

import hmac

from google.api import httpbody_pb2

from admin import fields
from admin.callers import acts
from admin.cookies import STATE_COOKIE, Headers, cookie, set_cookies, state_cookie
from admin.parts import Parts
from admin.provider import Provider
from mien.v1 import account_pb2 as pb
from serving.faults import ArgumentInvalid, ProviderOff, ProviderRefused
from serving.guard import Context
from serving.origin import owner
from store.identities import PATIENCE, come_back, leave, user_of
from store.sessions import begin_session
from store.throttling import Limit, count_attempt

DEPARTURES = Limit("sign-in at a provider from an address", 100, 15 * 60)


class Oidc(Parts):
    async def StartOidc(self, request: pb.StartOidcRequest, context: Context) -> httpbody_pb2.HttpBody:
        provider = self._provider()
        async with self.database.transaction() as connection:
            await count_attempt(connection, DEPARTURES, owner(context))
            leaving = await leave(connection)
        url = await provider.authorization_url(leaving)
        return await _sent_to(url, context, state_cookie(context, leaving.state, PATIENCE))

    async def FinishOidc(self, request: pb.FinishOidcRequest, context: Context) -> httpbody_pb2.HttpBody:
        provider = self._provider()
        # The browser that comes back is the one that left: else somebody could sign another in as themselves.
        state = cookie(context, STATE_COOKIE, from_anywhere=True) or ""
        if not state or not hmac.compare_digest(state.encode(), request.state.encode()):
            raise ProviderRefused("this sign-in was begun in another browser, or too long ago; begin again")
        async with self.database.transaction() as connection:
            leaving = await come_back(connection, state)
        if leaving is None:
            raise ProviderRefused("this sign-in has ended, or took too long; begin again")
        if request.error or not request.code:
            raise ProviderRefused("the provider has signed nobody in; begin again")
        identity = await provider.identity(request.code, leaving)
        try:
            fields.email(identity.email)
        except ArgumentInvalid as error:
            raise ProviderRefused("the provider knows you by an e-mail that cannot be one here") from error
        async with self.database.transaction() as connection:
            user_id = await user_of(connection, identity)
            acts(user_id, context)
            tokens = await begin_session(connection, user_id)
        done = state_cookie(context, "", 0)
        return await _sent_to("/", context, set_cookies(context, tokens) + done)

    def _provider(self) -> Provider:
        if self.provider is None:
            raise ProviderOff("no other provider is set here; sign in by password")
        return self.provider


async def _sent_to(url: str, context: Context, headers: Headers) -> httpbody_pb2.HttpBody:
    told = (("x-http-status", "302"), ("location", url), ("cache-control", "no-store"), *headers)
    await context.send_initial_metadata(told)
    return httpbody_pb2.HttpBody(content_type="text/plain")
