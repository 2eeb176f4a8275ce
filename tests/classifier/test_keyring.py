"""How long a key is believed that was revoked, with the feed of keys and without it.

The guard of an answer on its way is taken away once: then a revoked key opens.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import grpc
import psycopg
import pytest

from classifier import keyring as module
from classifier.keyring import LIFETIME, PULSE, Keyring
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import ApiKeyUnknown
from store.callers import Callers, find_caller
from store.database import Database
from store.keys import create_key, hash_of, revoke_key
from store.services import Service
from tests.classifier.refusing import refusal
from tests.classifier.replicas import Replica, embedding_images, replicas
from tests.classifier.test_feed import cut
from tests.galleries import new_service
from tests.postgres import Server, new_database


@pytest.fixture
def keyring(database: Database) -> Keyring:
    """Without a feed."""
    return Keyring(database)


@pytest.fixture
def service(database_url: str) -> Service:
    return new_service(database_url)[0]


def made(url: str, service: Service, name: str = "door", **terms: Any) -> str:
    with psycopg.connect(url) as connection:
        return create_key(connection, service.id, name, **terms)[1]


def revoke(url: str, service: Service, name: str = "door") -> None:
    with psycopg.connect(url) as connection:
        revoke_key(connection, service.id, name)


async def opens(keyring: Keyring, key: str) -> bool:
    return await keyring.find(hash_of(key), "recognition") is not None


async def test_a_change_that_is_heard_of_counts_at_once(
    keyring: Keyring, database_url: str, service: Service
) -> None:
    key, other = made(database_url, service), made(database_url, service, "desk")
    for each in (key, other):
        assert await opens(keyring, each)
    await keyring.catch_up()
    revoke(database_url, service)
    await keyring.catch_up()
    assert not await opens(keyring, key)
    assert await opens(keyring, other)


async def test_without_the_feed_a_revoked_key_opens_no_longer_than_its_lifetime(
    keyring: Keyring, database_url: str, service: Service
) -> None:
    key = made(database_url, service)
    assert await opens(keyring, key)
    revoke(database_url, service)
    assert await opens(keyring, key)
    await asyncio.sleep(LIFETIME)
    assert not await opens(keyring, key)


async def test_a_key_that_nobody_changes_is_asked_for_once(
    keyring: Keyring, database_url: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(database_url, service)
    asked: list[bytes] = []

    async def counted(database: Database, key_hash: bytes, kind: str) -> Callers:
        asked.append(key_hash)
        return await find_caller(database, key_hash, kind)

    monkeypatch.setattr(module, "find_caller", counted)
    following = asyncio.create_task(keyring.run())
    over = time.monotonic() + LIFETIME + 2 * PULSE
    while time.monotonic() < over:
        assert await opens(keyring, key)
        await asyncio.sleep(0.02)
    following.cancel()
    assert len(asked) <= 1


@pytest.fixture(params=["guarded", "without its guard"])
def fenced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param != "guarded":
        monkeypatch.setattr(Keyring, "_age", lambda keyring, known: time.monotonic() - keyring._level)
    return bool(request.param == "guarded")


async def test_an_answer_that_was_on_its_way_when_the_key_was_revoked_is_not_believed_again(
    keyring: Keyring, database_url: str, service: Service, monkeypatch: pytest.MonkeyPatch, fenced: bool
) -> None:
    key = made(database_url, service)
    read, told = asyncio.Event(), asyncio.Event()

    async def slow(*asked: Any) -> Callers:
        answer = await find_caller(*asked)
        read.set()
        await told.wait()
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(module, "find_caller", slow)
        first = asyncio.create_task(opens(keyring, key))
        await read.wait()
        revoke(database_url, service)
        await keyring.catch_up()
        told.set()
        assert await first, "the call began before the key was revoked"
    assert await opens(keyring, key) != fenced


async def test_a_key_opens_until_it_expires(keyring: Keyring, database_url: str, service: Service) -> None:
    key = made(database_url, service)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE keys SET expires_at = now() + '0.4 s' WHERE name = 'door'")
    await keyring.catch_up()
    assert await opens(keyring, key)
    await asyncio.sleep(0.4)
    assert not await opens(keyring, key)
    await keyring.catch_up()
    assert not await opens(keyring, key)


async def test_a_key_of_another_type_is_not_known(keyring: Keyring, database_url: str) -> None:
    _, key = new_service(database_url, "detection")
    await keyring.catch_up()
    assert keyring.is_known(hash_of(key), "detection")
    assert not keyring.is_known(hash_of(key), "recognition")
    assert not await opens(keyring, key)


async def test_it_remembers_no_more_keys_than_it_may(
    keyring: Keyring, database_url: str, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    keys = [made(database_url, service, f"key {number}") for number in range(4)]
    for key in keys:
        assert await opens(keyring, key)
    assert [keyring.is_known(hash_of(key), "recognition") for key in keys] == [False, False, True, True]
    await keyring.catch_up()
    assert len(keyring._known) == 2


class Mesh:
    def __init__(self, url: str, every: list[Replica]) -> None:
        self.url = url
        self.replicas = every


@pytest.fixture(scope="module")
def three(postgres: Server) -> Iterator[Mesh]:
    with new_database(postgres) as url, embedding_images() as embedder, replicas(url, embedder) as every:
        yield Mesh(url, every)


class Asked(NamedTuple):
    """By time.monotonic()."""

    last: float  # the beginning of the last call that was let in
    refused: float  # the end of the first that was not


async def asked(address: str, key: str) -> Asked:
    """All the time, until a call is refused."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = GalleryServiceStub(channel)
        last, deadline = -math.inf, time.monotonic() + 10
        while (began := time.monotonic()) < deadline:
            try:
                await stub.ListSubjects(pb.ListSubjectsRequest(), metadata=[("x-api-key", key)])
                last = began
            except grpc.aio.AioRpcError as refused:
                if refused.code() is grpc.StatusCode.UNAUTHENTICATED:
                    return Asked(last, time.monotonic())
            await asyncio.sleep(0.01)
    raise AssertionError("it is not refused")


@pytest.mark.parametrize("which", ["", "LISTEN"], ids=["", "while the feed is cut"])
async def test_a_revoked_key_is_refused_by_every_replica_within_a_second(three: Mesh, which: str) -> None:
    service, _ = new_service(three.url)
    key = made(three.url, service)
    async with asyncio.TaskGroup() as group:
        cutting = group.create_task(cut(three.url, time.monotonic() + 30, which)) if which else None
        asking = [group.create_task(asked(each.address, key)) for each in three.replicas]
        await asyncio.sleep(0.5)
        before = time.monotonic()
        await asyncio.to_thread(revoke, three.url, service)
        revoked = time.monotonic()
        told = await asyncio.gather(*asking)
        if cutting:
            cutting.cancel()
            with suppress(asyncio.CancelledError):
                await cutting
    assert min(each.refused for each in told) > before
    assert max(each.last for each in told) - revoked <= LIFETIME


async def test_a_stream_whose_key_is_revoked_adds_no_more_faces(three: Mesh) -> None:
    service, _ = new_service(three.url)
    key = made(three.url, service)
    async with grpc.aio.insecure_channel(three.replicas[0].address) as channel:
        stream = GalleryServiceStub(channel).AddFaces(metadata=[("x-api-key", key)])
        await stream.write(pb.AddFacesRequest(id=1, subject="Ann", image=b"1"))
        assert (await stream.read()).HasField("face")
        await asyncio.to_thread(revoke, three.url, service)
        await asyncio.sleep(LIFETIME)
        await stream.write(pb.AddFacesRequest(id=2, subject="Ann", image=b"1"))
        assert (await stream.read()).error.message == "no recognition service has this API key"
        stream.cancel()
        listing = GalleryServiceStub(channel).ListFaces(pb.ListFacesRequest(), metadata=[("x-api-key", key)])
        await refusal(listing, ApiKeyUnknown)
