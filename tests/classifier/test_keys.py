"""Who gets in, at a running classifier."""

import asyncio
from uuid import uuid4

import grpc
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from classifier.keys import LIFETIME, Keys, needed_for
from mien.rest.v1 import compreface_pb2  # noqa: F401 (its rules are asked for)
from mien.v1 import gallery_pb2 as pb
from mien.v1 import recognition_pb2
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from mien.v1.recognition_pb2_grpc import RecognitionServiceStub
from serving.faults import ApiKeyMalformed, ApiKeyMissing, ApiKeyUnknown, ImageUnreadable
from serving.metrics import CallMetrics
from serving.probe import is_serving
from serving.refusals import Refusals
from store.database import Database
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import new_service
from tests.test_contract import services


def listing(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> "grpc.aio.UnaryUnaryCall":
    return GalleryServiceStub(channel).ListSubjects(pb.ListSubjectsRequest(), metadata=metadata)


async def test_a_call_without_a_key_is_refused(channel: grpc.aio.Channel) -> None:
    await refusal(listing(channel), ApiKeyMissing)
    await refusal(listing(channel, ("x-api-key", "")), ApiKeyMissing)


@pytest.mark.parametrize("key", ["key", "{%s}", "urn:uuid:%s", "%s0", " %s", "%s\t", "'; --"])
async def test_a_key_that_is_no_uuid_is_refused(channel: grpc.aio.Channel, key: str) -> None:
    text = key.replace("%s", str(uuid4()))
    # gRPC itself trims white space around a header's value, or refuses to send it.
    if text.strip() == text:
        await refusal(listing(channel, ("x-api-key", text)), ApiKeyMalformed)


async def test_a_key_of_another_type_is_as_unknown_as_any(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    for key in (str(uuid4()), new_service(classifier.database_url, "detection")[1]):
        facts = await refusal(listing(channel, ("x-api-key", key)), ApiKeyUnknown)
        assert facts == {"service_type": "recognition"}


async def test_a_key_opens_in_either_letter_case(
    channel: grpc.aio.Channel, key: list[tuple[str, str]]
) -> None:
    await listing(channel, *key)
    await listing(channel, (key[0][0], key[0][1].upper()))


async def test_a_revoked_key_is_refused_within_a_second(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    service, key = new_service(classifier.database_url)
    await listing(channel, ("x-api-key", key))
    with psycopg.connect(classifier.database_url) as connection:
        connection.execute("DELETE FROM services WHERE id = %s", (service.id,))
    await asyncio.sleep(LIFETIME)
    await refusal(listing(channel, ("x-api-key", key)), ApiKeyUnknown)


async def test_a_new_key_opens_at_once_although_it_was_unknown(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    service, key = new_service(classifier.database_url)
    with psycopg.connect(classifier.database_url) as connection:
        statement = "UPDATE services SET key_hash = decode(md5('') || md5(''), 'hex') WHERE id = %s"
        (key_hash,) = (
            connection.execute("SELECT key_hash FROM services WHERE id = %s", (service.id,)).fetchone() or ()
        )
        connection.execute(statement, (service.id,))
        connection.commit()
        await refusal(listing(channel, ("x-api-key", key)), ApiKeyUnknown)
        connection.execute("UPDATE services SET key_hash = %s WHERE id = %s", (key_hash, service.id))
    await listing(channel, ("x-api-key", key))


def test_health_needs_no_key(classifier: Classifier) -> None:
    assert is_serving(classifier.address)


def test_each_public_rpc_says_who_may_call_it() -> None:
    rules = {
        f"{name}/{method.name}": needed_for(f"/{name}/{method.name}")
        for name, service in services()
        if name not in ("mien.v1.EmbedderService", "mien.v1.AccountService", "mien.v1.ApplicationService")
        for method in service.method
    }
    assert {rule for name, rule in rules.items() if "Gallery" in name} == {"recognition"}
    assert {name.partition("/")[2] for name, rule in rules.items() if rule is None} == {
        *{"GetConfig", "GetConsistency", "GetCoreStatus", "GetDocumentation", "GetOpenApi"},
        *{"GetStaticImage", "Migrate"},  # its key is in the path; it is refused to everybody
    }


@pytest.mark.parametrize("kind", ["detection", "verification"])
async def test_a_key_opens_the_rpcs_of_its_type_alone(
    channel: grpc.aio.Channel, classifier: Classifier, kind: str
) -> None:
    key = [("x-api-key", new_service(classifier.database_url, kind)[1])]
    stub = RecognitionServiceStub(channel)
    calls = {
        "detection": stub.Detect(recognition_pb2.DetectRequest(), metadata=key),
        "verification": stub.Verify(recognition_pb2.VerifyRequest(), metadata=key),
        "recognition": stub.Recognize(recognition_pb2.RecognizeRequest(), metadata=key),
    }
    await refusal(calls.pop(kind), ImageUnreadable)
    for needed, call in calls.items():
        assert await refusal(call, ApiKeyUnknown) == {"service_type": needed}


async def test_a_service_without_a_rule_stays_shut(database: Database) -> None:
    entered: list[bytes] = []

    async def enter(request: bytes, _: object) -> bytes:
        entered.append(request)
        return b""

    server = grpc.aio.server(interceptors=[Refusals(CallMetrics(CollectorRegistry())), Keys(database)])
    methods = {"Enter": grpc.unary_unary_rpc_method_handler(enter)}
    server.add_registered_method_handlers("mien.v1.NewService", methods)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("mien.v1.NewService", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/mien.v1.NewService/Enter")(b"")
    await server.stop(None)
    assert not entered
