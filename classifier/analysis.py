"""Asks an embedder what faces an image shows, and checks what it answers."""

from typing import TYPE_CHECKING, NamedTuple

import grpc
import numpy as np
from grpc_status import rpc_status
from numpy.typing import NDArray

from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from serving.faults import EmbedderUnavailable
from serving.status import from_status

if TYPE_CHECKING:
    from mien.v1.embedder_pb2_grpc import EmbedderServiceAsyncStub

PATIENCE = 30.0  # seconds


class Box(NamedTuple):
    """In pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float


class Found(NamedTuple):
    """A face of an image."""

    box: Box
    landmarks: NDArray[np.float32]  # (5, 2): x, y in pixels, in the order of the contract's Landmarks
    score: float
    embedding: NDArray[np.float32]  # (dimension,), norm 1


class Model(NamedTuple):
    name: str
    dimension: int
    chip_size: int
    threshold: float
    steepness: float

    def similarity(self, cosine: float) -> float:
        """In [0, 1], by the formula of the contract's Calibration."""
        distance = np.sqrt(max(0.0, 2 - 2 * cosine))
        return float((np.tanh((self.threshold - distance) * self.steepness) + 1) / 2)


class Analysis(NamedTuple):
    faces: list[Found]  # the largest first
    model: Model


class Analyses:
    """Calls the embedders through one channel; who is behind it balances them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._embedder: EmbedderServiceAsyncStub = EmbedderServiceStub(channel)

    async def analyze(self, image: bytes, *, min_score: float | None, max_faces: int) -> Analysis:
        """The faces of an image file, at most `max_faces` (0: all), with their embeddings.

        Raises ImageUnreadable, ImageTooLarge, Overloaded and what else the embedder refuses, and
        EmbedderUnavailable if none answers.
        """
        request = pb.AnalyzeRequest(
            image=image, min_score=min_score, max_faces=max_faces, outputs=[pb.FACE_OUTPUT_EMBEDDING]
        )
        try:
            answer = await self._embedder.Analyze(request, timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            status = rpc_status.from_call(error)
            fault = from_status(status) if status else None
            raise fault or EmbedderUnavailable("no embedder answered; try again with backoff") from error
        model = _model(answer.model)
        return Analysis([_found(face, model) for face in answer.faces], model)


def _model(model: face_pb2.Model) -> Model:
    calibration = model.calibration
    return Model(model.name, model.dimension, model.chip_size, calibration.threshold, calibration.steepness)


def _found(face: face_pb2.Face, model: Model) -> Found:
    embedding = np.array(face.embedding, np.float32)
    # What goes into a gallery stays there: an embedder that errs must not get that far.
    if embedding.shape != (model.dimension,) or not abs(float(embedding @ embedding) - 1) < 1e-3:
        raise ValueError("an embedder answered an embedding of the wrong size or norm")
    points = face.landmarks
    landmarks = [
        (point.x, point.y)
        for point in (points.left_eye, points.right_eye, points.nose, points.left_mouth, points.right_mouth)
    ]
    box = Box(face.box.left, face.box.top, face.box.width, face.box.height)
    return Found(box, np.array(landmarks, np.float32), face.score, embedding)
