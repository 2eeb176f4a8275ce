"""CompreFace's paths of a detection service."""

import asyncio

from classifier.rest.answers import described, timed, versions
from classifier.rest.options import read_options
from classifier.rest.parameters import Parameters
from classifier.rest.parts import Paths
from classifier.rest.upload import ONE_IMAGE, read_upload
from mien.rest.v1 import compreface_pb2 as pb
from serving.faults import NoFace
from serving.guard import Context


class Detection(Paths):
    async def Detect(self, request: pb.DetectRequest, context: Context) -> pb.DetectResponse:
        upload = await asyncio.to_thread(read_upload, request.body, ONE_IMAGE, self.parts.limits)
        options = read_options(Parameters.of(request, upload.form))
        analysis = await self.parts.analyses.analyze(upload.images[0], options.wanted)
        if not analysis.faces:
            raise NoFace("no face")
        faces = [described(pb.DetectedFace(), found, options) for found in analysis.faces]
        return pb.DetectResponse(
            result=timed(faces, analysis.steps, options),
            plugins_versions=versions(analysis.steps, options),
        )
