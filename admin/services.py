"""Services of applications: made, copied, renamed, given new keys, deleted; how often they were asked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, time

from google.protobuf.timestamp_pb2 import Timestamp

from admin import fields
from admin.parts import Parts
from admin.users import CREATED
from mien.v1 import application_pb2 as pb
from serving.guard import Context
from store.application_services import (
    OfApplication,
    add_to_application,
    clone,
    counts_of,
    delete_service,
    find_of_application,
    list_of_application,
    rename_service,
    rotate_key,
    taken,
)
from store.database import Connection
from store.requests import requests_of
from store.services import ServiceType

_TYPES: dict[ServiceType, "pb.Service.Type.ValueType"] = {
    "recognition": pb.Service.RECOGNITION,
    "detection": pb.Service.DETECTION,
    "verification": pb.Service.VERIFY,
}
_MOST = 2**31 - 1  # of what is told: a 64-bit integer were a string in JSON


class Services(Parts):
    async def ListServices(
        self, request: pb.ListServicesRequest, context: Context
    ) -> AsyncIterator[pb.Service]:
        async with self.database.transaction() as connection:
            rows = await list_of_application(connection, fields.app_id(request.app_id))
        for row in rows:
            yield _service(row)

    async def GetService(self, request: pb.GetServiceRequest, context: Context) -> pb.Service:
        async with self.database.transaction() as connection:
            row = await _named(connection, request)
            told = _service(row)
            counts = await counts_of(connection, row.gallery_id) if row.gallery_id else None
        told.subject_count = counts.subjects if counts else 0
        told.image_count = counts.faces if counts else 0
        return told

    async def CreateService(self, request: pb.CreateServiceRequest, context: Context) -> pb.Service:
        app_id, name = fields.app_id(request.app_id), fields.name(request.name, "Model")
        kinds: list[ServiceType] = [kind for kind, number in _TYPES.items() if number == request.type]
        if not kinds:
            raise fields.Unfit(0, "type is RECOGNITION, DETECTION or VERIFY", "type")
        async with self.database.transaction() as connection:
            service_id, key = await add_to_application(connection, app_id, name, kinds[0])
            made = _service(await find_of_application(connection, app_id, service_id), key)
        await context.send_initial_metadata(CREATED)
        return made

    async def CloneService(self, request: pb.CloneServiceRequest, context: Context) -> pb.Service:
        app_id, name = fields.app_id(request.app_id), fields.name(request.name, "Model")
        async with self.database.transaction() as connection:
            source = await _named(connection, request)
            service_id, key = await clone(connection, app_id, source, name)
            made = _service(await find_of_application(connection, app_id, service_id), key)
        await context.send_initial_metadata(CREATED)
        return made

    async def RenameService(self, request: pb.RenameServiceRequest, context: Context) -> pb.Service:
        name = fields.name(request.name, "Model")
        async with self.database.transaction() as connection:
            row = await _named(connection, request)
            if row.name == name:
                raise taken(name)
            await rename_service(connection, row.id, name)
            return _service(row._replace(name=name))

    async def RotateServiceKey(self, request: pb.RotateServiceKeyRequest, context: Context) -> pb.Service:
        async with self.database.transaction() as connection:
            row = await _named(connection, request)
            return _service(row, await rotate_key(connection, row.id))

    async def DeleteService(
        self, request: pb.DeleteServiceRequest, context: Context
    ) -> pb.DeleteServiceResponse:
        async with self.database.transaction() as connection:
            await delete_service(connection, (await _named(connection, request)).id)
        return pb.DeleteServiceResponse()

    async def GetServiceStatistics(
        self, request: pb.GetServiceStatisticsRequest, context: Context
    ) -> AsyncIterator[pb.Day]:
        async with self.database.transaction() as connection:
            row = await _named(connection, request)
            days = await requests_of(connection, row.id)
        for each in days:
            begins = datetime.combine(each.day, time.min, UTC)
            yield pb.Day(request_count=min(each.requests, _MOST), created_date=_stamp(begins))


async def _named(
    connection: Connection,
    request: pb.GetServiceRequest
    | pb.CloneServiceRequest
    | pb.RenameServiceRequest
    | pb.RotateServiceKeyRequest
    | pb.DeleteServiceRequest
    | pb.GetServiceStatisticsRequest,
) -> OfApplication:
    """The service that a request names. Raises ServiceNotFound."""
    app_id, service_id = fields.app_id(request.app_id), fields.service_id(request.model_id)
    return await find_of_application(connection, app_id, service_id)


def _service(row: OfApplication, key: str = "") -> pb.Service:
    return pb.Service(
        id=str(row.id), name=row.name, api_key=key, type=_TYPES[row.type], created_date=_stamp(row.created_at)
    )


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
