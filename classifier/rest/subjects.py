"""CompreFace's paths of subjects."""

from classifier.keys import gallery
from classifier.rest.faces import CREATED
from classifier.rest.ids import new_subject
from classifier.rest.parts import Paths
from mien.rest.v1 import compreface_pb2 as pb
from serving.guard import Context


class Subjects(Paths):
    async def AddSubject(self, request: pb.AddSubjectRequest, context: Context) -> pb.AddSubjectResponse:
        await self.parts.store.create_subject(gallery(), new_subject(request.subject))
        await context.send_initial_metadata(CREATED)
        return pb.AddSubjectResponse(subject=request.subject)

    async def ListSubjects(
        self, request: pb.ListSubjectsRequest, context: Context
    ) -> pb.ListSubjectsResponse:
        return pb.ListSubjectsResponse(subjects=await self.parts.store.list_subjects(gallery()))

    async def RenameSubject(
        self, request: pb.RenameSubjectRequest, context: Context
    ) -> pb.RenameSubjectResponse:
        renamed = await self.parts.store.rename_subject(
            gallery(), request.old_subject, new_subject(request.subject)
        )
        return pb.RenameSubjectResponse(updated=renamed.changed)

    async def DeleteSubject(
        self, request: pb.DeleteSubjectRequest, context: Context
    ) -> pb.DeleteSubjectResponse:
        erased = await self.parts.store.erase_subject(gallery(), request.subject)
        return pb.DeleteSubjectResponse(subject=erased.subject)

    async def DeleteSubjects(
        self, request: pb.DeleteSubjectsRequest, context: Context
    ) -> pb.DeleteSubjectsResponse:
        erased = await self.parts.store.clear(gallery())
        return pb.DeleteSubjectsResponse(deleted=erased.subjects)
