"""Users: they sign up, are listed, get roles, and go."""

from collections.abc import AsyncIterator

from google.protobuf.wrappers_pb2 import StringValue

from admin import fields, messages
from admin.callers import caller
from admin.parts import Parts
from admin.rules import NOT_ALLOWED
from mien.v1 import account_pb2 as pb
from serving.faults import OwnRole, RoleInsufficient, SignUpClosed
from serving.guard import Context
from serving.origin import owner
from store.throttling import Limit, count_attempt
from store.users import (
    ROLES,
    NewUser,
    Role,
    User,
    add_user,
    anybody,
    delete_user,
    emails_from,
    find_user,
    list_users,
    rename_user,
    set_role,
)

SIGN_UPS = Limit("sign-up from an address", 20, 60 * 60)
CREATED = (("x-http-status", "201"),)


class Users(Parts):
    async def SignUp(self, request: pb.SignUpRequest, context: Context) -> pb.User:
        email, password = fields.email(request.email), fields.password(request.password)
        first = fields.person(request.first_name, "firstName")
        last = fields.person(request.last_name, "lastName")
        async with self.database.transaction() as connection:
            if self.settings.sign_up != "open" and await anybody(connection):
                raise SignUpClosed("accounts are made by the operator alone here")
            await count_attempt(connection, SIGN_UPS, owner(context))
        hashed = await self.passwords.hash(password)
        async with self.database.transaction() as connection:
            user = await add_user(connection, NewUser(email, first, last, hashed))
        await context.send_initial_metadata(CREATED)
        return messages.user(user)

    async def GetMe(self, request: pb.GetMeRequest, context: Context) -> pb.User:
        return messages.user(caller().user)

    async def UpdateMe(self, request: pb.UpdateMeRequest, context: Context) -> pb.User:
        first = fields.person(request.first_name, "firstName")
        last = fields.person(request.last_name, "lastName")
        async with self.database.transaction() as connection:
            return messages.user(await rename_user(connection, caller().user.id, first, last))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> AsyncIterator[pb.User]:
        async with self.database.transaction() as connection:
            users = await list_users(connection)
        for user in users:
            yield messages.user(user)

    async def AutocompleteUsers(
        self, request: pb.AutocompleteUsersRequest, context: Context
    ) -> pb.AutocompleteUsersResponse:
        found: list[str] = []
        if request.query and "\0" not in request.query:
            async with self.database.transaction() as connection:
                found = await emails_from(connection, request.query)
        return pb.AutocompleteUsersResponse(query=request.query, length=len(found), results=found)

    async def ListRoles(self, request: pb.ListRolesRequest, context: Context) -> AsyncIterator[StringValue]:
        for role in messages.role_names(ROLES):
            yield role

    async def ListAssignableRoles(
        self, request: pb.ListAssignableRolesRequest, context: Context
    ) -> AsyncIterator[StringValue]:
        for role in messages.role_names(_assignable(caller().user)):
            yield role

    async def SetRole(self, request: pb.SetRoleRequest, context: Context) -> pb.User:
        role, user_id, me = fields.role(request.role), fields.user_id(request.user_id), caller().user
        if user_id == me.id:
            raise OwnRole("User can't change their role")
        async with self.database.transaction() as connection:
            user = await find_user(connection, user_id)
            if user.role == "owner" or role not in _assignable(me):
                raise RoleInsufficient(NOT_ALLOWED)
            return messages.user(await set_role(connection, user_id, role))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        user_id, me = fields.user_id(request.user_id), caller().user
        to_owner = request.replacer == pb.DeleteUserRequest.OWNER or user_id == me.id
        async with self.database.transaction() as connection:
            user = await find_user(connection, user_id)
            if user.role == "owner":
                raise RoleInsufficient("Global owner cannot be removed!")
            await delete_user(connection, user_id, None if to_owner else me.id)
        return pb.DeleteUserResponse()


def _assignable(user: User) -> tuple[Role, ...]:
    """The roles that this one may give to others."""
    return {"owner": ROLES, "administrator": ROLES[1:], "user": ()}[user.role]
