"""What anybody may know of this installation."""

from admin.parts import Parts
from mien.v1 import account_pb2 as pb
from serving.faults import ServiceNotFound, StoreUnavailable
from serving.guard import Context


class Status(Parts):
    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        try:
            async with self.database.statement() as connection:
                await connection.execute("SELECT 1")
        except StoreUnavailable:
            return pb.GetStatusResponse(status="NOT_READY")
        return pb.GetStatusResponse(status="OK")

    async def GetAdminConfig(
        self, request: pb.GetAdminConfigRequest, context: Context
    ) -> pb.GetAdminConfigResponse:
        return pb.GetAdminConfigResponse(
            mail_service_enabled=self.mail is not None,
            sign_up_open=self.settings.sign_up == "open",
            oidc_enabled=self.provider is not None,
        )

    async def GetDemoModel(
        self, request: pb.GetDemoModelRequest, context: Context
    ) -> pb.GetDemoModelResponse:
        raise NoDemo("The Demo model is not available any more!", model_id="demo")


class NoDemo(ServiceNotFound):
    """CompreFace has a number of its own for it."""
