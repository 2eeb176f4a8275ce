"""CompreFace's paths of enrolled faces."""

import asyncio
import json
from contextlib import suppress
from uuid import UUID

from google.api import httpbody_pb2

from classifier.analysis import Wanted
from classifier.keys import acts, gallery
from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused
from classifier.rest.ids import subject, uuid
from classifier.rest.options import read_min_face_size, read_threshold
from classifier.rest.parameters import Parameters
from classifier.rest.parts import Paths
from classifier.rest.upload import ONE_IMAGE, read_json, read_upload
from classifier.rules import Rule
from mien.rest.v1 import compreface_pb2 as pb
from serving.faults import (
    ApiKeyMalformed,
    ApiKeyScope,
    ApiKeyUnknown,
    FaceNotFound,
    ImageNotKept,
    SubjectNotFound,
)
from serving.guard import Context
from store.gallery import StoredFace

CREATED = (("x-http-status", "201"),)  # Envoy makes it the answer's HTTP status
_STATIC = Rule("recognition", "manage")  # of the key in a path, as the contract has it
NOT_TO_BE_KEPT = (("cache-control", "no-store"),)  # an erased face must not live on in a cache


class Faces(Paths):
    async def AddFace(self, request: pb.AddFaceRequest, context: Context) -> pb.AddFaceResponse:
        upload = await asyncio.to_thread(read_upload, request.body, ONE_IMAGE, self.parts.limits)
        asked = Parameters.of(request, upload.form)
        wanted = Wanted(read_threshold(asked), min_face_size=read_min_face_size(asked))
        face, _ = await self.parts.enrolment.add_face(
            gallery(), upload.images[0], subject(asked.required("subject")), wanted
        )
        await context.send_initial_metadata(CREATED)
        return _enrolled(face)

    async def ListFaces(self, request: pb.ListFacesRequest, context: Context) -> pb.ListFacesResponse:
        asked = Parameters.of(request)
        page = asked.page("page", 0, least=0, most=2**31 - 1)
        size = asked.page("size", 20, least=1, most=2000)
        name = asked.text("subject") or None
        listed = await self.parts.store.list_faces(gallery(), name, offset=page * size, limit=size)
        if name and listed.faces and listed.faces[0].subject != name:  # the letters' case counts here
            listed = listed._replace(faces=[], total=0)
        return pb.ListFacesResponse(
            faces=[_enrolled(face) for face in listed.faces],
            total_pages=-(-listed.total // size),
            total_elements=listed.total,
            page_number=page,
            page_size=size,
        )

    async def DeleteFaces(self, request: pb.DeleteFacesRequest, context: Context) -> pb.DeleteFacesResponse:
        name = subject(Parameters.of(request).text("subject") or "")
        with suppress(SubjectNotFound):  # who has no faces has none to erase
            erased = await self.parts.store.erase_subject(gallery(), name)
            return pb.DeleteFacesResponse(deleted=erased.faces)
        return pb.DeleteFacesResponse(deleted=0)

    async def DeleteFace(self, request: pb.DeleteFaceRequest, context: Context) -> pb.DeleteFaceResponse:
        face_id = uuid(request.image_id)
        erased = await self.parts.store.erase_face(gallery(), face_id)
        return pb.DeleteFaceResponse(image_id=str(face_id), subject=erased.subject)

    async def DeleteFacesById(
        self, request: pb.DeleteFacesByIdRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        told = read_json(request.body, self.parts.limits)
        if not isinstance(told, list):
            raise Refused(0, SOMETHING_WENT_WRONG)
        erased, _ = await self.parts.store.erase_faces(gallery(), [uuid(each) for each in told])
        answer = [{"image_id": str(face.face_id), "subject": face.subject} for face in erased]
        return httpbody_pb2.HttpBody(
            content_type="application/json", data=json.dumps(answer, indent=1, ensure_ascii=False).encode()
        )

    async def GetFaceImage(self, request: pb.GetFaceImageRequest, context: Context) -> httpbody_pb2.HttpBody:
        return await self._image(gallery(), uuid(request.image_id), context)

    async def GetStaticImage(
        self, request: pb.GetStaticImageRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        face_id, gallery_id = uuid(request.image_id), None
        with suppress(ApiKeyMalformed, ApiKeyUnknown, ApiKeyScope):  # answered as a face that is not there
            caller = await self.parts.keys.opened(request.api_key, _STATIC, context)
            acts(caller, context)
            gallery_id = caller.gallery_id
        return await self._image(gallery_id, face_id, context)

    async def _image(self, gallery_id: UUID | None, face_id: UUID, context: Context) -> httpbody_pb2.HttpBody:
        image = b""
        with suppress(FaceNotFound, ImageNotKept):  # CompreFace answers nothing then, with status 200
            image = await self.parts.store.image(gallery_id, face_id) if gallery_id else b""
        await context.send_initial_metadata(NOT_TO_BE_KEPT)
        return httpbody_pb2.HttpBody(content_type="application/octet-stream", data=image)


def _enrolled(face: StoredFace) -> pb.AddFaceResponse:
    return pb.AddFaceResponse(image_id=str(face.face_id), subject=face.subject)
