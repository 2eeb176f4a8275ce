"""GalleryService: from wire to values and back."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from google.api import httpbody_pb2

from classifier import edges
from classifier.adding import Adding
from classifier.enrolment import Enrolment
from classifier.exporting import Exporting
from classifier.hashes import Hashes
from classifier.keys import gallery, service
from classifier.messages import HOMES, receipt, stored_face
from classifier.moving import Mover
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceServicer
from serving.guard import Context
from store.gallery import GalleryStore
from store.hashing import as_text
from store.receipts import Receipts

NOT_TO_BE_KEPT = (("cache-control", "no-store"),)  # an erased face must not live on in a cache


class GalleryServicer(GalleryServiceServicer):
    def __init__(
        self,
        enrolment: Enrolment,
        adding: Adding,
        store: GalleryStore,
        hashes: Hashes,
        receipts: Receipts,
        exporting: Exporting,
        mover: Mover,
    ) -> None:
        self._enrolment = enrolment
        self._adding = adding
        self._store = store
        self._hashes = hashes
        self._receipts = receipts
        self._exporting = exporting
        self._mover = mover

    async def AddFace(self, request: pb.AddFaceRequest, context: Context) -> pb.AddFaceResponse:
        face, revision = await self._enrolment.add_face(
            gallery(),
            request.image,
            edges.subject(request.subject),
            edges.enrolled(request),
            edges.idempotency_key(request.idempotency_key),
        )
        return pb.AddFaceResponse(face=stored_face(face), revision=revision)

    async def AddFaces(
        self, request_iterator: AsyncIterator[pb.AddFacesRequest], context: Context
    ) -> AsyncIterator[pb.AddFacesResponse]:
        async with aclosing(self._adding.answers(gallery(), request_iterator)) as responses:
            async for response in responses:
                yield response

    async def ListFaces(self, request: pb.ListFacesRequest, context: Context) -> pb.ListFacesResponse:
        page = await self._store.list_faces(
            gallery(),
            request.subject or None,
            limit=_page_size(request),
            after=edges.page_number(request.page_token),
        )
        return pb.ListFacesResponse(
            faces=[stored_face(face) for face in page.faces],
            next_page_token=str(page.after or ""),
            total=page.total,
        )

    async def DeleteFace(self, request: pb.DeleteFaceRequest, context: Context) -> pb.DeleteFaceResponse:
        erased = await self._store.erase_face(gallery(), edges.face_id(request.face_id))
        return pb.DeleteFaceResponse(
            subject=erased.subject, revision=erased.revision, receipt_id=str(erased.receipt)
        )

    async def DeleteFaces(self, request: pb.DeleteFacesRequest, context: Context) -> pb.DeleteFacesResponse:
        faces, erased = await self._store.erase_faces(gallery(), edges.face_ids(request.face_ids))
        return pb.DeleteFacesResponse(
            faces=[stored_face(face) for face in faces],
            revision=erased.revision,
            receipt_id=str(erased.receipt or ""),
        )

    async def GetFaceImage(self, request: pb.GetFaceImageRequest, context: Context) -> httpbody_pb2.HttpBody:
        image = await self._store.image(gallery(), edges.face_id(request.face_id))
        await context.send_initial_metadata(NOT_TO_BE_KEPT)
        return httpbody_pb2.HttpBody(content_type="application/octet-stream", data=image)

    async def CreateSubject(
        self, request: pb.CreateSubjectRequest, context: Context
    ) -> pb.CreateSubjectResponse:
        name = edges.subject(request.subject)
        await self._store.create_subject(gallery(), name)
        return pb.CreateSubjectResponse(subject=name)

    async def ListSubjects(
        self, request: pb.ListSubjectsRequest, context: Context
    ) -> pb.ListSubjectsResponse:
        size = _page_size(request)
        names = await self._store.list_subjects(gallery(), edges.page_name(request.page_token), size + 1)
        return pb.ListSubjectsResponse(
            subjects=names[:size], next_page_token=names[size - 1] if len(names) > size else ""
        )

    async def RenameSubject(
        self, request: pb.RenameSubjectRequest, context: Context
    ) -> pb.RenameSubjectResponse:
        renamed = await self._store.rename_subject(
            gallery(), request.subject, edges.subject(request.new_subject, "new_subject")
        )
        return pb.RenameSubjectResponse(**renamed._asdict())

    async def DeleteSubject(
        self, request: pb.DeleteSubjectRequest, context: Context
    ) -> pb.DeleteSubjectResponse:
        erased = await self._store.erase_subject(gallery(), request.subject)
        return pb.DeleteSubjectResponse(
            subject=erased.subject,
            faces=erased.faces,
            revision=erased.revision,
            receipt_id=str(erased.receipt),
        )

    async def ClearGallery(
        self, request: pb.ClearGalleryRequest, context: Context
    ) -> pb.ClearGalleryResponse:
        erased = await self._store.clear(gallery())
        return pb.ClearGalleryResponse(
            subjects=erased.subjects,
            faces=erased.faces,
            revision=erased.revision,
            receipt_id=str(erased.receipt),
        )

    async def ExportSubject(
        self, request: pb.ExportSubjectRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        async with aclosing(self._exporting.archive(gallery(), request.subject)) as pieces:
            first = await anext(pieces)  # if it cannot begin, that is told before any header
            await context.send_initial_metadata(NOT_TO_BE_KEPT)
            yield httpbody_pb2.HttpBody(content_type="application/zip", data=first)
            async for piece in pieces:
                yield httpbody_pb2.HttpBody(content_type="application/zip", data=piece)

    async def GetErasureReceipt(
        self, request: pb.GetErasureReceiptRequest, context: Context
    ) -> pb.GetErasureReceiptResponse:
        wanted = edges.receipt_id(request.receipt_id)
        return receipt(await self._receipts.get(service(), gallery(), wanted))

    async def GetGalleryState(
        self, request: pb.GetGalleryStateRequest, context: Context
    ) -> pb.GetGalleryStateResponse:
        state = await self._hashes.newest(gallery())
        return pb.GetGalleryStateResponse(
            revision=state.revision,
            rows=state.faces,
            bytes=state.nbytes,
            model=state.model or "",
            hash=as_text(state.total),
            home=HOMES[state.home],
            moving_to=HOMES[state.moving_to],
        )

    async def MoveGallery(self, request: pb.MoveGalleryRequest, context: Context) -> pb.MoveGalleryResponse:
        placed = await self._mover.move(gallery(), edges.home(request))
        return pb.MoveGalleryResponse(home=HOMES[placed.now], moving_to=HOMES[placed.moving_to])


def _page_size(request: pb.ListFacesRequest | pb.ListSubjectsRequest) -> int:
    size = request.page_size if request.HasField("page_size") else edges.PAGE_SIZE
    return edges.in_range("page_size", size, 1, edges.LARGEST_PAGE)
