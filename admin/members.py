"""Members of applications: listed, invited, given other roles, removed."""

from collections.abc import AsyncIterator

from google.protobuf.wrappers_pb2 import StringValue

from admin import fields, messages
from admin.callers import caller
from admin.parts import Parts
from admin.rules import NOT_ALLOWED, role_in_application
from admin.users import CREATED
from mien.v1 import application_pb2 as pb
from serving.faults import OwnRole, RoleInsufficient, UserNotFound
from serving.guard import Context
from store.members import add_member, find_member, list_members, remove_member, set_member_role
from store.users import ROLES, find_by_email


class Members(Parts):
    async def ListAssignableMemberRoles(
        self, request: pb.ListAssignableMemberRolesRequest, context: Context
    ) -> AsyncIterator[StringValue]:
        owns = role_in_application(caller()) == "owner"
        for role in messages.role_names(ROLES if owns else ()):
            yield role

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> AsyncIterator[pb.Member]:
        async with self.database.transaction() as connection:
            search = request.search.replace("\0", "")
            rows = await list_members(connection, fields.app_id(request.app_id), search)
        for row in rows:
            yield messages.member(row)

    async def InviteMember(self, request: pb.InviteMemberRequest, context: Context) -> pb.Member:
        app_id, role = fields.app_id(request.app_id), fields.role(request.role)
        async with self.database.transaction() as connection:
            user = await find_by_email(connection, request.user_email.replace("\0", ""))
            if user is None:
                raise UserNotFound("no account has this e-mail", user=request.user_email)
            member = await add_member(connection, app_id, user.id, role)
        await context.send_initial_metadata(CREATED)
        return messages.member(member)

    async def SetMemberRole(self, request: pb.SetMemberRoleRequest, context: Context) -> pb.Member:
        app_id, user_id = fields.app_id(request.app_id), fields.user_id(request.user_id)
        role = fields.role(request.role)
        if user_id == caller().user.id:
            raise OwnRole("User can't change their role")
        async with self.database.transaction() as connection:
            member = await find_member(connection, app_id, user_id)
            if member.role == "owner":
                raise RoleInsufficient(NOT_ALLOWED)
            return messages.member(await set_member_role(connection, app_id, user_id, role))

    async def RemoveMember(
        self, request: pb.RemoveMemberRequest, context: Context
    ) -> pb.RemoveMemberResponse:
        app_id, user_id = fields.app_id(request.app_id), fields.user_id(request.user_id)
        async with self.database.transaction() as connection:
            member = await find_member(connection, app_id, user_id)
            if member.role == "owner":
                raise RoleInsufficient(NOT_ALLOWED)
            await remove_member(connection, app_id, user_id)
        return pb.RemoveMemberResponse()
