"""What services are asked for is counted, told in batches, and not lost on the way."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import grpc
import psycopg

from classifier.requests import Requests
from mien.v1 import gallery_pb2, recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving.faults import ApiKeyUnknown, ArgumentInvalid
from store.database import Database
from tests.classifier.conftest import running
from tests.classifier.refusing import refusal
from tests.galleries import new_service
from tests.postgres import Server, free_port


def stored(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT service_id, day, count FROM requests").fetchall()


async def test_calls_that_were_let_in_count_and_are_told_at_the_latest_at_the_end(database_url: str) -> None:
    service, text = new_service(database_url)
    key, address = [("x-api-key", text)], f"127.0.0.1:{free_port()}"
    wrong = recognition_pb2.RecognizeRequest(max_matches=0)  # refused, and counted all the same
    with running("classifier", CLASSIFIER_LISTEN=address, DATABASE_URL=database_url):
        async with grpc.aio.insecure_channel(address) as channel:
            recognition, gallery = RecognitionServiceStub(channel), GalleryServiceStub(channel)
            for _ in range(3):
                await refusal(recognition.Recognize(wrong, metadata=key), ArgumentInvalid)
            await gallery.ListSubjects(gallery_pb2.ListSubjectsRequest(), metadata=key)
            await refusal(recognition.Recognize(wrong, metadata=[("x-api-key", str(uuid4()))]), ApiKeyUnknown)
    assert stored(database_url) == [(service.id, datetime.now(UTC).date(), 3)]


async def test_counts_are_kept_while_postgres_is_away(
    database: Database, database_url: str, postgres: Server
) -> None:
    service, _ = new_service(database_url)
    requests = Requests(database)
    today = datetime.now(UTC).date()
    requests._counted[service.id, today] = 2
    postgres.refuse(database_url)
    await requests._tell()
    assert requests._counted.total() == 2
    postgres.admit(database_url)
    going = asyncio.create_task(requests.run())
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert not requests._counted
    assert stored(database_url) == [(service.id, today, 2)]
