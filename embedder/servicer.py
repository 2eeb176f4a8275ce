"""EmbedderService: from wire to values and back."""

from embedder.detector import Floats
from embedder.pack import Pack
from embedder.pipeline import Analysis, Pipeline
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceServicer
from serving.faults import ArgumentInvalid
from serving.guard import Context


class Embedder(EmbedderServiceServicer):
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._model = _model(pipeline.pack)

    async def Analyze(self, request: pb.AnalyzeRequest, _: Context) -> pb.AnalyzeResponse:
        chips = pb.FACE_OUTPUT_CHIP in request.outputs
        analysis = await self._pipeline.analyze(
            request.image,
            min_score=_score(request.min_score) if request.HasField("min_score") else None,
            max_faces=request.max_faces or None,
            chips=chips,
            embeddings=pb.FACE_OUTPUT_EMBEDDING in request.outputs,
        )
        return pb.AnalyzeResponse(
            faces=[_face(analysis, each, chips) for each in range(len(analysis.faces.scores))],
            model=self._model,
            width=analysis.width,
            height=analysis.height,
        )

    async def GetModel(self, request: pb.GetModelRequest, _: Context) -> pb.GetModelResponse:
        return pb.GetModelResponse(model=self._model)


def _score(min_score: float) -> float:
    if not 0 <= min_score <= 1:  # NaN is neither
        raise ArgumentInvalid(f"min_score is {min_score}; it must be between 0 and 1", field="min_score")
    return min_score


def _face(analysis: Analysis, each: int, chips: bool) -> face_pb2.Face:
    left, top, width, height = analysis.faces.boxes[each].tolist()
    return face_pb2.Face(
        box=face_pb2.Box(left=left, top=top, width=width, height=height),
        landmarks=_landmarks(analysis.faces.landmarks[each]),
        score=analysis.faces.scores[each],
        embedding=analysis.embeddings[each].tolist() if analysis.embeddings else None,
        chip=analysis.chips[each].tobytes() if chips else b"",
    )


def _landmarks(points: Floats) -> face_pb2.Landmarks:
    left_eye, right_eye, nose, left_mouth, right_mouth = (
        face_pb2.Point(x=x, y=y) for x, y in points.tolist()
    )
    return face_pb2.Landmarks(
        left_eye=left_eye,
        right_eye=right_eye,
        nose=nose,
        left_mouth=left_mouth,
        right_mouth=right_mouth,
    )


def _model(pack: Pack) -> face_pb2.Model:
    return face_pb2.Model(
        name=pack.name,
        dimension=pack.dimension,
        chip_size=pack.chip_size,
        calibration=face_pb2.Calibration(**pack.calibration._asdict()),
    )
