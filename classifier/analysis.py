"""Asks an embedder what faces an image shows, and checks what it answers."""

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

import grpc
import numpy as np
from grpc_status import rpc_status

from classifier.faces import Age, Box, Floats, Found, Gender, Mask, Model, Pose, Quality, Step, Wear
from classifier.tails import Tail
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.faults import EmbedderUnavailable, ImageTooLarge
from serving.status import from_status

if TYPE_CHECKING:
    from mien.v1.embedder_pb2_grpc import EmbedderServiceAsyncStub

PATIENCE = 30.0  # seconds
WEARS = {
    face_pb2.MASK_WEAR_WITHOUT: Wear.WITHOUT,
    face_pb2.MASK_WEAR_WITH: Wear.WITH,
    face_pb2.MASK_WEAR_INCORRECT: Wear.INCORRECT,
}


class Wanted(NamedTuple):
    """Which faces of an image are wanted, and what of each; as AnalyzeRequest says."""

    min_score: float | None = None
    max_faces: int = 0
    min_face_size: int = 0
    whole_image: bool = False
    outputs: Collection["face_pb2.FaceOutput.ValueType"] = ()

    def embedded(self, *, judged: bool = False) -> "Wanted":
        """The same, and their embeddings, and with `judged` their quality."""
        more = {face_pb2.FACE_OUTPUT_EMBEDDING, *([face_pb2.FACE_OUTPUT_QUALITY] * judged)}
        return self._replace(outputs={*self.outputs, *more})


class Analysis(NamedTuple):
    faces: list[Found]  # the largest first
    model: Model
    steps: list[Step]


class Analyses:
    """Calls the embedders through one channel; who is behind it balances them.

    `spend` is told of each image that is about to be sent, and raises a Fault if it may not be.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        max_bytes: int,
        spend: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._spend = spend
        self._embedder: EmbedderServiceAsyncStub = EmbedderServiceStub(channel)

    def check_size(self, image: bytes) -> None:
        """Raises ImageTooLarge if it is more bytes than a request may have."""
        if len(image) > self._max_bytes:
            raise ImageTooLarge(
                f"the image is {len(image)} bytes; send at most {self._max_bytes}",
                bytes=len(image),
                max_bytes=self._max_bytes,
            )

    async def analyze(self, image: bytes, wanted: Wanted) -> Analysis:
        """The faces of an image file.

        Raises ImageUnreadable, ImageTooLarge, QuotaExceeded, Overloaded and what else the embedder refuses,
        and EmbedderUnavailable if none answers.
        """
        self.check_size(image)
        if self._spend:
            await self._spend()
        request = pb.AnalyzeRequest(
            image=image,
            min_score=wanted.min_score,
            max_faces=wanted.max_faces,
            outputs=wanted.outputs,
            min_face_size=wanted.min_face_size,
            whole_image=wanted.whole_image,
        )
        try:
            answer = await self._embedder.Analyze(request, timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            raise _fault(error) from error
        model = _model(answer.model)
        dimension = model.dimension if face_pb2.FACE_OUTPUT_EMBEDDING in wanted.outputs else 0
        return Analysis([_found(face, dimension) for face in answer.faces], model, _steps(answer.steps))

    async def model(self) -> tuple[Model, list[Step]]:
        """The model that embedders serve, and what it can do. Raises as `analyze` does."""
        try:
            answer = await self._embedder.GetModel(pb.GetModelRequest(), timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            raise _fault(error) from error
        return _model(answer.model), _steps(answer.steps)


def _fault(error: grpc.aio.AioRpcError) -> Exception:
    status = rpc_status.from_call(error)
    fault = from_status(status) if status else None
    return fault or EmbedderUnavailable("no embedder answered; try again with backoff")


def _model(model: face_pb2.Model) -> Model:
    told = model.calibration
    tail = told.strangers
    return Model(
        model.name,
        model.dimension,
        model.chip_size,
        told.threshold,
        told.steepness,
        Tail(tail.location, tail.scale, tail.shape, tail.rate) if told.HasField("strangers") else None,
    )


def _steps(steps: Collection[face_pb2.Step]) -> list[Step]:
    return [Step(step.name, step.version, step.milliseconds) for step in steps]


def _found(face: face_pb2.Face, dimension: int) -> Found:
    embedding = np.array(face.embedding, np.float32)
    # What goes into a gallery stays there: an embedder that errs must not get that far.
    if embedding.shape != (dimension,) or (dimension and not abs(float(embedding @ embedding) - 1) < 1e-3):
        raise ValueError("an embedder answered an embedding of the wrong size or norm")
    age, gender, pose = face.age, face.gender, face.pose
    return Found(
        Box(face.box.left, face.box.top, face.box.width, face.box.height),
        _points(face.landmarks) if face.HasField("landmarks") else None,
        face.score,
        embedding,
        face.chip,
        Age(age.low, age.high, age.probability) if face.HasField("age") else None,
        Gender(gender.sex == face_pb2.SEX_MALE, gender.probability) if face.HasField("gender") else None,
        Pose(pose.pitch, pose.yaw, pose.roll) if face.HasField("pose") else None,
        _quality(face.quality) if face.HasField("quality") else None,
        Mask(WEARS[face.mask.wear], face.mask.probability) if face.HasField("mask") else None,
    )


def _quality(quality: face_pb2.Quality) -> Quality:
    return Quality(quality.value, quality.sharpness, quality.size, quality.frontality, quality.exposure)


def _points(landmarks: face_pb2.Landmarks) -> Floats:
    points = (
        landmarks.left_eye,
        landmarks.right_eye,
        landmarks.nose,
        landmarks.left_mouth,
        landmarks.right_mouth,
    )
    return np.array([(point.x, point.y) for point in points], np.float32)
