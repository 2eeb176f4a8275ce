"""RecognitionService: from wire to values and back."""

from classifier import edges
from classifier.keys import gallery
from classifier.messages import found_face, model
from classifier.recognition import Recognition
from mien.v1 import recognition_pb2 as pb
from mien.v1.recognition_pb2_grpc import RecognitionServiceServicer
from serving.guard import Context

MOST_MATCHES = 1000


class RecognitionServicer(RecognitionServiceServicer):
    def __init__(self, recognition: Recognition) -> None:
        self._recognition = recognition

    async def Recognize(self, request: pb.RecognizeRequest, context: Context) -> pb.RecognizeResponse:
        matches = request.max_matches if request.HasField("max_matches") else 1
        recognised = await self._recognition.recognize(
            gallery(),
            request.image,
            min_score=edges.min_score(request.min_score if request.HasField("min_score") else None),
            max_faces=request.max_faces,
            max_matches=edges.in_range("max_matches", matches, 1, MOST_MATCHES),
            distinct=True,
        )
        return pb.RecognizeResponse(
            faces=[
                pb.RecognizedFace(
                    face=found_face(face.found, with_embedding=request.include_embedding),
                    matches=[
                        pb.Match(
                            subject=match.subject,
                            face_id=str(match.face_id),
                            cosine=match.cosine,
                            similarity=match.similarity,
                        )
                        for match in face.matches
                    ],
                )
                for face in recognised.faces
            ],
            model=model(recognised.model),
            revision=recognised.revision,
        )
