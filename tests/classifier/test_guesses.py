"""Who tries keys is slowed down, and nobody else is."""

import time
from uuid import uuid4

import grpc
import pytest

from classifier import guesses as module
from classifier.allowances import Allowances
from classifier.guesses import AT_ONCE, Guesses
from classifier.keyring import Keyring
from classifier.keys import Keys
from classifier.rules import Rule
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import ApiKeyGuessed, ApiKeyMalformed, ApiKeyUnknown, Fault, StoreUnavailable
from serving.origin import HEADER, network
from store.database import Database
from tests.classifier.conftest import Classifier
from tests.classifier.refusing import refusal
from tests.galleries import new_service
from tests.postgres import Server

RULE = Rule("recognition", "recognise")
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def keys(database: Database) -> Keys:
    return Keys(Keyring(database), Allowances(database))


async def tried(keys: Keys, address: str, count: int) -> list[type[Fault]]:
    refused = []
    for _ in range(count):
        with pytest.raises(Fault) as told:
            await keys.let_in(str(uuid4()), RULE, address)
        refused.append(type(told.value))
    return refused


async def test_a_thousand_bad_keys_from_an_address_are_slowed_down_and_harm_no_good_one(
    keys: Keys, database_url: str
) -> None:
    (_, known), (_, new), (_, elsewhere) = (new_service(database_url) for _ in range(3))
    await keys.let_in(known, RULE, HERE)
    began = time.monotonic()
    refused = await tried(keys, HERE, 1000)
    looked_up = refused.count(ApiKeyUnknown)
    assert AT_ONCE <= looked_up <= AT_ONCE + time.monotonic() - began + 1
    assert refused.count(ApiKeyGuessed) == 1000 - looked_up
    for _ in range(3):
        await keys.let_in(known, RULE, HERE)  # which shares the address, and is known
    await keys.let_in(elsewhere, RULE, THERE)
    while (await tried(keys, HERE, 1)) != [ApiKeyGuessed]:
        pass  # a second has gone by, and one more was looked up
    with pytest.raises(ApiKeyGuessed) as told:
        await keys.let_in(new, RULE, HERE)
    assert 0 < (told.value.retry_after or 0) <= 1
    await keys._keyring.catch_up()  # as it is whenever a key is made
    await keys.let_in(new, RULE, HERE)


async def test_good_keys_and_those_that_nobody_could_look_up_do_not_count(
    keys: Keys, database_url: str, postgres: Server
) -> None:
    for _ in range(AT_ONCE + 5):
        await keys.let_in(new_service(database_url)[1], RULE, HERE)
    for _ in range(AT_ONCE + 5):
        with pytest.raises(ApiKeyMalformed):
            await keys.let_in("no key", RULE, HERE)
    assert await tried(keys, HERE, 3) == [ApiKeyUnknown] * 3
    keys._guesses = Guesses()
    postgres.refuse(database_url)
    unknown = await tried(keys, HERE, 1)
    postgres.admit(database_url)
    assert unknown == [StoreUnavailable]
    bucket = keys._guesses._buckets[HERE]
    assert bucket._held == AT_ONCE


def test_it_remembers_no_more_addresses_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 100)
    guesses = Guesses()
    for number in range(1000):
        guesses.begin(f"network {number}")
        if number % 50 == 0:
            guesses.begin(HERE)
    assert len(guesses._buckets) == 100
    assert HERE in guesses._buckets, "who goes on is not forgotten"


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1", "fe80::"),
    ],
)
def test_an_address_stands_for_all_that_its_owner_has(text: str, whose: str) -> None:
    assert network(text) == whose


async def test_a_running_classifier_counts_by_the_address_that_envoy_tells(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    stub = GalleryServiceStub(channel)

    def listing(key: str, *metadata: tuple[str, str]) -> "grpc.aio.UnaryUnaryCall":
        return stub.ListSubjects(pb.ListSubjectsRequest(), metadata=[("x-api-key", key), *metadata])

    for number in range(10 * AT_ONCE):  # one a second more may be looked up meanwhile
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await listing(str(uuid4()), (HEADER, f"2001:db8::{number % 7}"))
        if refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            break
    assert AT_ONCE <= number < 10 * AT_ONCE - 1
    await refusal(listing(str(uuid4()), (HEADER, "2001:db8:1::2")), ApiKeyUnknown)
    await refusal(listing(str(uuid4())), ApiKeyUnknown)  # past Envoy, by the peer itself
