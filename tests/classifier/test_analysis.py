"""What becomes of an embedder's answers, the good, the bad and the missing."""

from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest

from classifier.analysis import Analyses, Wanted
from mien.v1 import embedder_pb2 as pb
from mien.v1 import face_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceServicer, add_EmbedderServiceServicer_to_server
from serving.faults import EmbedderUnavailable, ImageTooLarge, ImageUnreadable

LARGEST = 1 << 20  # bytes


@pytest.fixture
async def analyses(embedder: str) -> AsyncIterator[Analyses]:
    async with grpc.aio.insecure_channel(embedder) as channel:
        yield Analyses(channel, LARGEST)


async def test_faces_come_with_unit_embeddings_the_largest_first(
    analyses: Analyses, two_faces: bytes
) -> None:
    analysis = await analyses.analyze(two_faces, Wanted().embedded())
    one, two = analysis.faces
    assert one.box.width * one.box.height >= two.box.width * two.box.height
    for face in analysis.faces:
        assert face.landmarks is not None
        assert face.landmarks.shape == (5, 2)
        assert face.embedding.dtype == np.float32
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
    assert analysis.model.name == "open"


async def test_a_refusal_of_the_embedder_is_raised_on(analyses: Analyses) -> None:
    with pytest.raises(ImageUnreadable):
        await analyses.analyze(b"text", Wanted())


async def test_an_image_of_too_many_bytes_reaches_no_embedder() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(ImageTooLarge) as refused:
            await Analyses(channel, LARGEST).analyze(bytes(LARGEST + 1), Wanted())
    assert refused.value.facts == {"bytes": str(LARGEST + 1), "max_bytes": str(LARGEST)}


async def test_an_embedder_that_is_away_is_unavailable() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        with pytest.raises(EmbedderUnavailable):
            await Analyses(channel, LARGEST).analyze(b"", Wanted().embedded())


class Erring(EmbedderServiceServicer):
    """A peer that answers what no embedder of ours does."""

    def __init__(self, embedding: list[float]) -> None:
        self._embedding = embedding

    async def Analyze(
        self, request: pb.AnalyzeRequest, context: "grpc.aio.ServicerContext"
    ) -> pb.AnalyzeResponse:
        face = face_pb2.Face(embedding=self._embedding)
        return pb.AnalyzeResponse(faces=[face], model=face_pb2.Model(name="erring", dimension=2))


@pytest.mark.parametrize(
    "embedding", [[1.0], [1, 0, 0], [1, 1], [0, 0], [float("nan"), 0], [float("inf"), 0]]
)
async def test_an_embedding_of_the_wrong_length_or_norm_goes_no_further(embedding: list[float]) -> None:
    server = grpc.aio.server()
    add_EmbedderServiceServicer_to_server(Erring(embedding), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(ValueError, match="wrong size or norm"):
            await Analyses(channel, LARGEST).analyze(b"", Wanted().embedded())
    await server.stop(None)
