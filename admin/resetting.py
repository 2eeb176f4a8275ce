"""Passwords that are changed, or set anew because they were forgotten."""

from admin import fields
from admin.callers import caller
from admin.parts import Parts
from admin.rules import NOT_ALLOWED
from admin.signing_in import FROM_ADDRESS, OF_ACCOUNT
from mien.v1 import account_pb2 as pb
from serving.faults import MailOff, PasswordWrong, ResetTokenInvalid, RoleInsufficient
from serving.guard import Context
from serving.origin import owner
from store.database import Connection
from store.sessions import RESET, end_sessions, make_reset_token, use_reset_token
from store.throttling import Limit, count_attempt, forgive
from store.users import User, find_by_email, find_user, password_of, set_password

LINKS_OF_ACCOUNT = Limit("links of an account", 3, 60 * 60)
LINKS_FROM_ADDRESS = Limit("links from an address", 20, 60 * 60)
_NOT_THEIRS = "the old password is not this account's"


class Resetting(Parts):
    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: Context
    ) -> pb.ChangePasswordResponse:
        new, me = fields.password(request.new_password, "new_password"), caller()
        async with self.database.transaction() as connection:
            await count_attempt(connection, OF_ACCOUNT, me.user.email.casefold())
        async with self.database.transaction() as connection:
            hashed = await password_of(connection, me.user.id)
        if not await self.passwords.check(request.old_password, hashed):
            raise PasswordWrong(_NOT_THEIRS)
        new_hash = await self.passwords.hash(new)
        async with self.database.transaction() as connection:
            if await password_of(connection, me.user.id, lock=True) != hashed:  # it was set anew meanwhile
                raise PasswordWrong(_NOT_THEIRS)
            await unlock(connection, me.user)
            await set_password(connection, me.user.id, new_hash)
            await end_sessions(connection, me.user.id, but=me.session_id)
        return pb.ChangePasswordResponse()

    async def ForgotPassword(
        self, request: pb.ForgotPasswordRequest, context: Context
    ) -> pb.ForgotPasswordResponse:
        if self.mail is None:
            raise MailOff("this installation sends no mail: ask an owner or administrator for a link")
        email = fields.email(request.email)
        async with self.database.transaction() as connection:
            await count_attempt(connection, LINKS_FROM_ADDRESS, owner(context))
        async with self.database.transaction() as connection:
            await count_attempt(connection, LINKS_OF_ACCOUNT, email.casefold())
        async with self.database.transaction() as connection:
            user = await find_by_email(connection, email)
            token = await make_reset_token(connection, user.id) if user else None
        if user and token:
            self.mail.send_reset(user.email, token)  # later: who asks must not learn from the time it takes
        return pb.ForgotPasswordResponse()

    async def CreateResetLink(
        self, request: pb.CreateResetLinkRequest, context: Context
    ) -> pb.CreateResetLinkResponse:
        me = caller().user
        async with self.database.transaction() as connection:
            # Locked: nobody is promoted between this check and the link.
            user = await find_user(connection, fields.user_id(request.user_id), lock=True)
            # A link is as good as the account.
            if user.role == "owner" or (user.role == "administrator" and me.role != "owner"):
                raise RoleInsufficient(NOT_ALLOWED)
            token = await make_reset_token(connection, user.id)
        return pb.CreateResetLinkResponse(token=token, expires_in=RESET)

    async def ResetPassword(
        self, request: pb.ResetPasswordRequest, context: Context
    ) -> pb.ResetPasswordResponse:
        password = fields.password(request.password)
        async with self.database.transaction() as connection:
            await count_attempt(connection, FROM_ADDRESS, owner(context))
        hashed = await self.passwords.hash(password)
        async with self.database.transaction() as connection:
            user_id = await use_reset_token(connection, request.token)
            if user_id is None:
                raise ResetTokenInvalid("the link was used, or has expired; ask for another")
            user = await find_user(connection, user_id)
            await set_password(connection, user_id, hashed)
            await end_sessions(connection, user_id)
            await unlock(connection, user)
            await forgive(connection, FROM_ADDRESS, owner(context), all_of_them=False)
        return pb.ResetPasswordResponse()


async def unlock(connection: Connection, user: User) -> None:
    """Forgets who tried to sign in to this account."""
    await forgive(connection, OF_ACCOUNT, user.email.casefold(), all_of_them=True)
