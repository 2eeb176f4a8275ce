"""EmbedderService: from wire to values and back."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from embedder.messages import to_face, to_model
from embedder.pipeline import Pipeline
from embedder.search import Search
from embedder.steps import versions
from embedder.stream import embedded
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceServicer
from serving.faults import ArgumentInvalid
from serving.guard import Context
from serving.metrics import CallMetrics


class Embedder(EmbedderServiceServicer):
    def __init__(self, pipeline: Pipeline, metrics: CallMetrics) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._model = to_model(pipeline.pack)
        self._versions = versions(pipeline.pack)

    async def Analyze(self, request: pb.AnalyzeRequest, _: Context) -> pb.AnalyzeResponse:
        analysis = await self._pipeline.analyze(
            request.image,
            Search(
                min_score=_score(request.min_score) if request.HasField("min_score") else None,
                max_faces=request.max_faces or None,
                min_face_size=request.min_face_size,
                whole_image=request.whole_image,
            ),
            chips=face_pb2.FACE_OUTPUT_CHIP in request.outputs,
            embeddings=face_pb2.FACE_OUTPUT_EMBEDDING in request.outputs,
            ages=face_pb2.FACE_OUTPUT_AGE in request.outputs,
            genders=face_pb2.FACE_OUTPUT_GENDER in request.outputs,
            masks=face_pb2.FACE_OUTPUT_MASK in request.outputs,
            poses=face_pb2.FACE_OUTPUT_POSE in request.outputs,
            qualities=face_pb2.FACE_OUTPUT_QUALITY in request.outputs,
        )
        return pb.AnalyzeResponse(
            faces=[to_face(analysis, each) for each in range(len(analysis.faces.scores))],
            model=self._model,
            width=analysis.width,
            height=analysis.height,
            steps=[
                face_pb2.Step(name=name, version=self._versions[name], milliseconds=seconds * 1e3)
                for name, seconds in analysis.steps
            ],
        )

    async def Embed(
        self, request_iterator: AsyncIterator[pb.EmbedRequest], _: Context
    ) -> AsyncIterator[pb.EmbedResponse]:
        async with aclosing(embedded(self._pipeline, request_iterator, self._metrics)) as responses:
            async for response in responses:
                yield response

    async def GetModel(self, request: pb.GetModelRequest, _: Context) -> pb.GetModelResponse:
        steps = [face_pb2.Step(name=name, version=version) for name, version in self._versions.items()]
        return pb.GetModelResponse(model=self._model, steps=steps)


def _score(min_score: float) -> float:
    if not 0 <= min_score <= 1:  # NaN is neither
        raise ArgumentInvalid(f"min_score is {min_score}; it must be between 0 and 1", field="min_score")
    return min_score
