"""Applications: listed, made, renamed, deleted."""

from collections.abc import AsyncIterator

from admin import fields, messages
from admin.callers import caller
from admin.parts import Parts
from admin.users import CREATED
from mien.v1 import application_pb2 as pb
from serving.guard import Context
from store.applications import (
    add_application,
    delete_application,
    find_application,
    list_applications,
    rename_application,
)
from store.database import Connection


class Applications(Parts):
    async def ListApplications(
        self, request: pb.ListApplicationsRequest, context: Context
    ) -> AsyncIterator[pb.Application]:
        me = caller().user
        async with self.database.transaction() as connection:
            rows = await list_applications(connection, me.id, every=me.administers)
        for row in rows:
            yield messages.application(row, me)

    async def GetApplication(self, request: pb.GetApplicationRequest, context: Context) -> pb.Application:
        async with self.database.transaction() as connection:
            return await _seen(connection, request.app_id)

    async def CreateApplication(
        self, request: pb.CreateApplicationRequest, context: Context
    ) -> pb.Application:
        name = fields.name(request.name, "Application")
        async with self.database.transaction() as connection:
            app_id = await add_application(connection, name, caller().user.id)
            made = await _seen(connection, str(app_id))
        await context.send_initial_metadata(CREATED)
        return made

    async def RenameApplication(
        self, request: pb.RenameApplicationRequest, context: Context
    ) -> pb.Application:
        name = fields.name(request.name, "Application")
        async with self.database.transaction() as connection:
            await rename_application(connection, fields.app_id(request.app_id), name)
            return await _seen(connection, request.app_id)

    async def DeleteApplication(
        self, request: pb.DeleteApplicationRequest, context: Context
    ) -> pb.DeleteApplicationResponse:
        async with self.database.transaction() as connection:
            await delete_application(connection, fields.app_id(request.app_id))
        return pb.DeleteApplicationResponse()


async def _seen(connection: Connection, app_id: str) -> pb.Application:
    me = caller().user
    return messages.application(await find_application(connection, fields.app_id(app_id), me.id), me)
