"""CompreFaceService: from CompreFace's wire to the native functions and back."""

import asyncio
import re
from contextlib import suppress
from uuid import UUID

from google.api import httpbody_pb2

from classifier.enrolment import Enrolment
from classifier.keys import gallery
from classifier.recognition import Recognition
from classifier.rest.answers import recognised_face
from classifier.rest.errors import SOMETHING_WENT_WRONG, Refused
from classifier.rest.parameters import Parameters
from classifier.rest.upload import read_upload
from mien.rest.v1 import compreface_pb2 as pb
from mien.rest.v1.compreface_pb2_grpc import CompreFaceServiceServicer
from serving.faults import FaceNotFound, NoFace, SubjectNotFound
from serving.guard import Context
from store.gallery import GalleryStore, StoredFace

MOST_MATCHES = 1000  # enrolled faces answered for one face of the image
CREATED = (("x-http-status", "201"),)  # Envoy makes it the answer's HTTP status
NOT_TO_BE_KEPT = (("cache-control", "no-store"),)  # an erased face must not live on in a cache


class CompreFace(CompreFaceServiceServicer):
    def __init__(self, recognition: Recognition, enrolment: Enrolment, store: GalleryStore) -> None:
        self._recognition = recognition
        self._enrolment = enrolment
        self._store = store

    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:
        upload = await asyncio.to_thread(read_upload, request.body)
        asked = Parameters(
            upload.form,
            limit=request.limit,
            prediction_count=request.prediction_count,
            det_prob_threshold=request.det_prob_threshold,
            face_plugins=request.face_plugins,
        )
        limit = asked.integer("limit", 0, least=0, too_small="Limit should be equal or greater than 0")
        matches = asked.integer(
            "prediction_count",
            1,
            least=1,
            too_small="prediction_count should be equal or greater than 1",
        )
        recognised = await self._recognition.recognize(
            gallery(),
            upload.image,
            min_score=_min_score(asked),
            max_faces=limit,
            max_matches=min(matches, MOST_MATCHES),
            distinct=False,
        )
        if not recognised.faces:
            raise NoFace("no face")
        plugins = asked.text("face_plugins") or ""
        return pb.RecognizeResponse(result=[recognised_face(face, plugins) for face in recognised.faces])

    async def AddFace(self, request: pb.AddFaceRequest, context: Context) -> pb.AddFaceResponse:
        upload = await asyncio.to_thread(read_upload, request.body)
        asked = Parameters(
            upload.form, subject=request.subject, det_prob_threshold=request.det_prob_threshold
        )
        face, _ = await self._enrolment.add_face(
            gallery(), upload.image, _subject(asked.required("subject")), min_score=_min_score(asked)
        )
        await context.send_initial_metadata(CREATED)
        return _enrolled(face)

    async def ListFaces(self, request: pb.ListFacesRequest, context: Context) -> pb.ListFacesResponse:
        asked = Parameters({}, subject=request.subject, page=request.page, size=request.size)
        page = asked.page("page", 0, least=0, most=2**31 - 1)
        size = asked.page("size", 20, least=1, most=2000)
        listed = await self._store.list_faces(
            gallery(), asked.text("subject") or None, offset=page * size, limit=size
        )
        return pb.ListFacesResponse(
            faces=[_enrolled(face) for face in listed.faces],
            total_pages=-(-listed.total // size),
            total_elements=listed.total,
            page_number=page,
            page_size=size,
        )

    async def DeleteFaces(self, request: pb.DeleteFacesRequest, context: Context) -> pb.DeleteFacesResponse:
        subject = _subject(Parameters({}, subject=request.subject).text("subject") or "")
        with suppress(SubjectNotFound):  # who has no faces has none to erase
            erased = await self._store.erase_subject(gallery(), subject)
            return pb.DeleteFacesResponse(deleted=erased.faces)
        return pb.DeleteFacesResponse(deleted=0)

    async def DeleteFace(self, request: pb.DeleteFaceRequest, context: Context) -> pb.DeleteFaceResponse:
        erased = await self._store.erase_face(gallery(), _uuid(request.image_id))
        return pb.DeleteFaceResponse(image_id=str(_uuid(request.image_id)), subject=erased.subject)

    async def GetFaceImage(self, request: pb.GetFaceImageRequest, context: Context) -> httpbody_pb2.HttpBody:
        image = b""
        with suppress(FaceNotFound):  # CompreFace answers nothing then, with status 200
            image = await self._store.image(gallery(), _uuid(request.image_id))
        await context.send_initial_metadata(NOT_TO_BE_KEPT)
        return httpbody_pb2.HttpBody(content_type="application/octet-stream", data=image)

    async def AddSubject(self, request: pb.AddSubjectRequest, context: Context) -> pb.AddSubjectResponse:
        await self._store.create_subject(gallery(), _new_name(request.subject))
        await context.send_initial_metadata(CREATED)
        return pb.AddSubjectResponse(subject=request.subject)

    async def ListSubjects(
        self, request: pb.ListSubjectsRequest, context: Context
    ) -> pb.ListSubjectsResponse:
        return pb.ListSubjectsResponse(subjects=await self._store.list_subjects(gallery()))

    async def DeleteSubject(
        self, request: pb.DeleteSubjectRequest, context: Context
    ) -> pb.DeleteSubjectResponse:
        erased = await self._store.erase_subject(gallery(), request.subject)
        return pb.DeleteSubjectResponse(subject=erased.subject)

    async def DeleteSubjects(
        self, request: pb.DeleteSubjectsRequest, context: Context
    ) -> pb.DeleteSubjectsResponse:
        erased = await self._store.clear(gallery())
        return pb.DeleteSubjectsResponse(deleted=erased.subjects)


def _enrolled(face: StoredFace) -> pb.AddFaceResponse:
    return pb.AddFaceResponse(image_id=str(face.face_id), subject=face.subject)


def _min_score(asked: Parameters) -> float | None:
    score = asked.number("det_prob_threshold")
    if score is not None and not 0 <= score <= 1:
        raise NoFace("no face")  # as CompreFace tells it
    return score


def _subject(name: str) -> str:
    if not name.strip() or "\0" in name or len(name) > 255:
        raise Refused(26, "Subject name is empty; " if not name.strip() else "Subject name is too long; ")
    return name


def _new_name(name: str) -> str:
    if not name.strip():
        raise Refused(26, "Subject name cannot be empty")
    if len(name) > 50:
        raise Refused(26, "Subject name size must be between 1 and 50")
    if re.search(r"[;/\\\0]", name):
        raise Refused(36, "The name cannot contain the following special characters: ';', '/', '\\'")
    return name


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refused(0, SOMETHING_WENT_WRONG) from None
