"""CompreFace's paths of a recognition service that look for faces."""

import asyncio

from classifier.keys import gallery
from classifier.rest.answers import described, rounded, similar, timed, versions
from classifier.rest.embeddings import read_vectors
from classifier.rest.errors import no_such_face
from classifier.rest.ids import uuid
from classifier.rest.options import read_options, read_search
from classifier.rest.parameters import Parameters
from classifier.rest.parts import Paths
from classifier.rest.upload import ONE_IMAGE, read_json, read_upload
from classifier.rest.verification import compared
from mien.rest.v1 import compreface_pb2 as pb
from serving.faults import FaceNotFound, NoFace
from serving.guard import Context


class Recognition(Paths):
    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:
        upload = await asyncio.to_thread(read_upload, request.body, ONE_IMAGE, self.parts.limits)
        asked = Parameters.of(request, upload.form)
        options, search = read_options(asked), read_search(asked)
        recognised = await self.parts.recognition.recognize(
            gallery(), upload.images[0], options.wanted, search
        )
        if not recognised.faces:
            raise NoFace("no face")
        faces = []
        for found, who in recognised.faces:
            face = described(pb.RecognizedFace(subjects=similar(who.matches)), found, options)
            face.box.probability = rounded(face.box.probability)
            faces.append(face)
        return pb.RecognizeResponse(
            result=timed(faces, recognised.steps, options),
            plugins_versions=versions(recognised.steps, options),
        )

    async def RecognizeEmbeddings(
        self, request: pb.RecognizeEmbeddingsRequest, context: Context
    ) -> pb.RecognizeEmbeddingsResponse:
        told = await asyncio.to_thread(read_json, request.body, self.parts.limits)
        search = read_search(Parameters.of(request))
        embeddings = read_vectors(told, "embeddings")
        found, _ = await self.parts.recognition.recognize_embeddings(gallery(), embeddings, search)
        results = [
            pb.RecognizedEmbedding(embedding=embedding, similarities=similar(who.matches))
            for embedding, who in zip(embeddings, found, strict=True)
        ]
        return pb.RecognizeEmbeddingsResponse(result=results)

    async def VerifyFace(self, request: pb.VerifyFaceRequest, context: Context) -> pb.VerifyFaceResponse:
        upload = await asyncio.to_thread(read_upload, request.body, ONE_IMAGE, self.parts.limits)
        options = read_options(Parameters.of(request, upload.form))
        try:
            verified = await self.parts.verification.verify_face(
                gallery(), uuid(request.image_id), upload.images[0], options.wanted
            )
        except FaceNotFound:
            raise no_such_face() from None
        if not verified.faces:
            raise NoFace("no face")
        faces = [
            described(
                pb.VerifiedFace(subject=verified.subject, similarity=rounded(likeness.similarity)),
                found,
                options,
            )
            for found, likeness in verified.faces
        ]
        return pb.VerifyFaceResponse(
            result=timed(faces, verified.steps, options),
            plugins_versions=versions(verified.steps, options),
        )

    async def VerifyFaceEmbeddings(
        self, request: pb.VerifyFaceEmbeddingsRequest, context: Context
    ) -> pb.CompareEmbeddingsResponse:
        told = await asyncio.to_thread(read_json, request.body, self.parts.limits)
        embeddings = read_vectors(told, "embeddings")
        try:
            _, likenesses = await self.parts.verification.verify_face_embeddings(
                gallery(), uuid(request.image_id), embeddings
            )
        except FaceNotFound:
            raise no_such_face() from None
        return compared(embeddings, likenesses)
