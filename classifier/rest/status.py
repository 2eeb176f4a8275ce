"""CompreFace's paths that say how things stand. They are open to anybody."""

import asyncio
from functools import cache
from importlib import metadata

from google.api import httpbody_pb2

from classifier import openapi
from classifier.rest.answers import plugins
from classifier.rest.errors import forbidden
from classifier.rest.parts import Paths
from mien.rest.v1 import compreface_pb2 as pb
from serving.guard import Context

# The page has a policy of its own; that nobody may frame it, only a header can say.
ALONE = (
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


class Status(Paths):
    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        limits = self.parts.limits
        return pb.GetConfigResponse(clientMaxFileSize=limits.file, clientMaxBodySize=limits.request)

    async def GetConsistency(
        self, request: pb.GetConsistencyRequest, context: Context
    ) -> pb.GetConsistencyResponse:
        model, _ = await self.parts.analyses.model()
        return pb.GetConsistencyResponse(
            dbIsInconsistent=not await self.parts.store.all_of_model(model.name),
            saveImagesToDB=True,
            status="OK",
        )

    async def Migrate(self, request: pb.MigrateRequest, context: Context) -> pb.MigrateResponse:
        raise forbidden("Faces cannot be embedded anew over this API; ask who runs the server")

    async def GetCoreStatus(
        self, request: pb.GetCoreStatusRequest, context: Context
    ) -> pb.GetCoreStatusResponse:
        model, steps = await self.parts.analyses.model()
        return pb.GetCoreStatusResponse(
            status="OK",
            build_version=metadata.version("mien"),
            calculator_version=model.name,
            similarity_coefficients=[model.threshold, model.steepness],
            available_plugins=plugins(steps),
        )

    async def GetOpenApi(self, request: pb.GetOpenApiRequest, context: Context) -> httpbody_pb2.HttpBody:
        return httpbody_pb2.HttpBody(content_type="application/json", data=await asyncio.to_thread(_document))

    async def GetDocumentation(
        self, request: pb.GetDocumentationRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        await context.send_initial_metadata(ALONE)
        return httpbody_pb2.HttpBody(
            content_type="text/html; charset=utf-8", data=await asyncio.to_thread(_page)
        )


_document = cache(openapi.document)
_page = cache(openapi.page)
