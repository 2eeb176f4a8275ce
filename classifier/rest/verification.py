"""CompreFace's paths of a verification service."""

import asyncio

from classifier.rest.answers import described, rounded, timed, versions
from classifier.rest.embeddings import read_vector, read_vectors
from classifier.rest.options import read_options
from classifier.rest.parameters import Parameters
from classifier.rest.parts import Paths
from classifier.rest.upload import TWO_IMAGES, read_json, read_upload
from classifier.verification import Likeness
from mien.rest.v1 import compreface_pb2 as pb
from serving.guard import Context


class Verification(Paths):
    async def Verify(self, request: pb.VerifyRequest, context: Context) -> pb.VerifyResponse:
        upload = await asyncio.to_thread(read_upload, request.body, TWO_IMAGES, self.parts.limits)
        options = read_options(Parameters.of(request, upload.form))
        source_image, target_image = upload.images
        verified = await self.parts.verification.verify(
            source_image, target_image, options.wanted, largest_source=options.wanted.max_faces == 1
        )
        source = described(pb.DetectedFace(), verified.source, options)
        targets = [
            described(pb.MatchedFace(similarity=rounded(likeness.similarity)), found, options)
            for found, likeness in verified.targets
        ]
        return pb.VerifyResponse(
            result=[
                pb.Verification(
                    source_image_face=timed([source], verified.source_steps, options)[0],
                    face_matches=timed(targets, verified.steps, options),
                    plugins_versions=versions(verified.steps, options),
                )
            ]
        )

    async def VerifyEmbeddings(
        self, request: pb.VerifyEmbeddingsRequest, context: Context
    ) -> pb.CompareEmbeddingsResponse:
        told = await asyncio.to_thread(read_json, request.body, self.parts.limits)
        source, targets = read_vector(told, "source"), read_vectors(told, "targets")
        return compared(targets, await self.parts.verification.verify_embeddings(source, targets))


def compared(embeddings: list[list[float]], likenesses: list[Likeness]) -> pb.CompareEmbeddingsResponse:
    """The most similar first."""
    results = [
        pb.ComparedEmbedding(embedding=embedding, similarity=rounded(likeness.similarity))
        for embedding, likeness in zip(embeddings, likenesses, strict=True)
    ]
    return pb.CompareEmbeddingsResponse(result=sorted(results, key=lambda result: -result.similarity))
