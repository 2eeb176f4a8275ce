"""RecognitionService: from wire to values and back."""

from collections.abc import Iterable

from classifier import edges, messages
from classifier.analysis import Analyses
from classifier.keys import gallery
from classifier.recognition import Recognition
from classifier.verification import Verification
from mien.v1 import face_pb2
from mien.v1 import recognition_pb2 as pb
from mien.v1.recognition_pb2_grpc import RecognitionServiceServicer
from serving.guard import Context


class RecognitionServicer(RecognitionServiceServicer):
    def __init__(self, analyses: Analyses, recognition: Recognition, verification: Verification) -> None:
        self._analyses = analyses
        self._recognition = recognition
        self._verification = verification

    async def Detect(self, request: pb.DetectRequest, context: Context) -> pb.DetectResponse:
        analysis = await self._analyses.analyze(request.image, edges.wanted(request))
        return pb.DetectResponse(
            faces=[messages.face(found, request.outputs) for found in analysis.faces],
            model=messages.model(analysis.model),
            steps=messages.steps(analysis.steps),
        )

    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:
        wanted = edges.wanted(request)._replace(whole_image=request.whole_image)
        recognised = await self._recognition.recognize(
            gallery(), request.image, wanted, edges.search(request), edges.freshness(request)
        )
        outputs = {*request.outputs, *([face_pb2.FACE_OUTPUT_EMBEDDING] * request.include_embedding)}
        return pb.RecognizeResponse(
            faces=[
                pb.RecognizedFace(
                    face=messages.face(found, outputs),
                    matches=messages.matches(who.matches),
                    decision=messages.decision(who.decision),
                )
                for found, who in recognised.faces
            ],
            model=messages.model(recognised.model),
            steps=messages.steps(recognised.steps),
            revision=recognised.view.revision,
            staleness=messages.staleness(recognised.view.staleness),
        )

    async def RecognizeEmbeddings(
        self, request: pb.RecognizeEmbeddingsRequest, context: Context
    ) -> pb.RecognizeEmbeddingsResponse:
        results, view = await self._recognition.recognize_embeddings(
            gallery(), _values(request.embeddings), edges.search(request), edges.freshness(request)
        )
        return pb.RecognizeEmbeddingsResponse(
            results=[
                pb.Matches(matches=messages.matches(matches), decision=messages.decision(decision))
                for matches, decision in results
            ],
            revision=view.revision,
            staleness=messages.staleness(view.staleness),
        )

    async def Verify(self, request: pb.VerifyRequest, context: Context) -> pb.VerifyResponse:
        verified = await self._verification.verify(
            request.source_image,
            request.target_image,
            edges.wanted(request),
            largest_source=request.largest_source,
        )
        return pb.VerifyResponse(
            source=messages.face(verified.source, request.outputs),
            targets=messages.compared(verified.targets, request.outputs),
            model=messages.model(verified.model),
            steps=messages.steps(verified.steps),
        )

    async def VerifyEmbeddings(
        self, request: pb.VerifyEmbeddingsRequest, context: Context
    ) -> pb.VerifyEmbeddingsResponse:
        likenesses = await self._verification.verify_embeddings(
            list(request.source.values), _values(request.targets)
        )
        return pb.VerifyEmbeddingsResponse(results=messages.likenesses(likenesses))

    async def VerifyFace(self, request: pb.VerifyFaceRequest, context: Context) -> pb.VerifyFaceResponse:
        verified = await self._verification.verify_face(
            gallery(), edges.face_id(request.face_id), request.image, edges.wanted(request)
        )
        return pb.VerifyFaceResponse(
            subject=verified.subject,
            faces=messages.compared(verified.faces, request.outputs),
            model=messages.model(verified.model),
            steps=messages.steps(verified.steps),
        )

    async def VerifyFaceEmbeddings(
        self, request: pb.VerifyFaceEmbeddingsRequest, context: Context
    ) -> pb.VerifyFaceEmbeddingsResponse:
        subject, likenesses = await self._verification.verify_face_embeddings(
            gallery(), edges.face_id(request.face_id), _values(request.embeddings)
        )
        return pb.VerifyFaceEmbeddingsResponse(subject=subject, results=messages.likenesses(likenesses))


def _values(embeddings: Iterable[pb.Embedding]) -> list[list[float]]:
    return [list(each.values) for each in embeddings]
