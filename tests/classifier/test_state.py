"""What a replica says it holds, and whether that is what the database has."""

import asyncio
import math
import re
from contextlib import ExitStack
from hashlib import blake2b
from uuid import UUID

import grpc
import numpy as np
import psycopg
import pytest

from classifier import hashes
from classifier.galleries import Galleries
from classifier.hashes import Hashes, hash_of
from classifier.keyring import LIFETIME
from mien.cli.plainly import CommandError
from mien.cli.verifying import verify
from mien.v1 import gallery_pb2 as pb
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import ApiKeyUnknown
from store.database import Database
from store.gallery import GalleryStore
from store.hashing import as_text
from store.keys import FIRST, list_keys
from store.rebuilding import list_galleries, passing, rebuilt
from tests.classifier.conftest import Classifier, running
from tests.classifier.refusing import refusal
from tests.galleries import enrol, new_service
from tests.postgres import free_port

PLENTY = 1 << 30  # bytes


def by_hand(url: str, gallery_id: UUID) -> str:
    """The hash as the contract's words have it."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT faces.id, subject_id, embedding, name"
            " FROM faces JOIN subjects ON subjects.id = subject_id WHERE faces.gallery_id = %s",
            (gallery_id,),
        ).fetchall()
    total = 0
    for face, subject, embedding, name in rows:
        digest = blake2b(face.bytes + subject.bytes + embedding + name.encode(), digest_size=16).digest()
        total = (total + int.from_bytes(digest, "little")) % 2**128
    return f"{total:032x}"


def in_sql(url: str, gallery_id: UUID) -> str:
    with psycopg.connect(url, autocommit=True) as connection, rebuilt(connection, gallery_id, False) as told:
        assert told
        return told.hash


async def test_memory_and_rows_have_the_hash_that_the_contract_says(
    database: Database, store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    galleries = Galleries(database, PLENTY)

    async def agree() -> str:
        memory = as_text(hash_of((await galleries.fresh(gallery_id)).matrix))
        assert memory == by_hand(database_url, gallery_id) == in_sql(database_url, gallery_id)
        return memory

    assert await agree() == "0" * 32
    seen = set()
    for seed, name in enumerate(["Ann", "Ben", "Çem", "Ann"]):
        face, _ = await enrol(store, gallery_id, name, seed)
        seen.add(await agree())
    await store.rename_subject(gallery_id, "Ann", "Zoë")
    seen.add(await agree())
    await store.rename_subject(gallery_id, "Ben", "Zoë")
    seen.add(await agree())
    await store.erase_face(gallery_id, face.face_id)
    seen.add(await agree())
    assert len(seen) == 7, "each change changes it"
    assert as_text(hash_of((await Galleries(database, PLENTY).fresh(gallery_id)).matrix)) in seen


async def test_one_bit_of_one_embedding_changes_it(
    database: Database, store: GalleryStore, gallery_id: UUID
) -> None:
    await enrol(store, gallery_id, "Ann")
    matrix = (await Galleries(database, PLENTY).fresh(gallery_id)).matrix
    before = hash_of(matrix)
    ((_, _, rows),) = matrix.slices()
    rows.view(np.uint32)[0, 3] ^= 1
    assert hash_of(matrix) != before


async def test_a_gallery_that_changes_while_it_is_hashed_is_hashed_anew(
    database: Database,
    store: GalleryStore,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hashes, "_TOGETHER", 4)
    monkeypatch.setattr(hashes, "_BREATH", 0.01)
    galleries = Galleries(database, PLENTY)
    faces = [(await enrol(store, gallery_id, "Ann", seed))[0] for seed in range(40)]
    await galleries.fresh(gallery_id)
    hashing = asyncio.create_task(Hashes(galleries).newest(gallery_id))
    for face in faces[:5]:  # in its midst, and the last row takes the place of each
        await asyncio.sleep(0.03)
        await store.erase_face(gallery_id, face.face_id)
        await galleries.fresh(gallery_id)
    state = await hashing
    assert state.revision == 45
    assert as_text(state.total) == by_hand(database_url, gallery_id)


async def test_the_metric_tells_it_once_galleries_are_at_rest(
    database: Database,
    store: GalleryStore,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hashes, "_RESTED", 0.02)
    galleries = Galleries(database, PLENTY)
    hashing = Hashes(galleries)
    assert hashing.together() == 0
    running = asyncio.create_task(hashing.run())
    for seed in range(2):
        await enrol(store, gallery_id, "Ann", seed)
        await galleries.fresh(gallery_id)
        assert math.isnan(hashing.together())
        async with asyncio.timeout(2):
            while math.isnan(hashing.together()):
                await asyncio.sleep(0.01)
        assert hashing.together() == int(by_hand(database_url, gallery_id), 16) % 2**52
    running.cancel()


async def test_a_classifier_tells_what_it_holds(
    channel: grpc.aio.Channel, classifier: Classifier, key: list[tuple[str, str]], obama: bytes
) -> None:
    gallery = GalleryServiceStub(channel)
    empty = await gallery.GetGalleryState(pb.GetGalleryStateRequest(), metadata=key)
    assert (empty.revision, empty.rows, empty.model, empty.hash) == (0, 0, "", "0" * 32)
    for revision in (1, 2):
        await gallery.AddFace(pb.AddFaceRequest(image=obama, subject="Ann"), metadata=key)
        state = await gallery.GetGalleryState(pb.GetGalleryStateRequest(), metadata=key)
        assert (state.revision, state.rows, state.model) == (revision, revision, "open")
        assert state.bytes >= revision * 128 * 4
    with psycopg.connect(classifier.database_url, autocommit=True) as connection:
        (mine,) = [each.id for each in list_galleries(connection) if each.name == _name(classifier, key)]
    assert state.hash == by_hand(classifier.database_url, mine)


def _name(classifier: Classifier, key: list[tuple[str, str]]) -> str:
    with psycopg.connect(classifier.database_url) as connection:
        row = connection.execute(
            "SELECT services.name FROM services JOIN keys ON services.id = service_id"
            " WHERE key_hash = sha256(%s::bytea)",
            (key[0][1].encode(),),
        ).fetchone()
        assert row
        return str(row[0])


async def test_a_pass_opens_a_service_only_inside_its_block(
    channel: grpc.aio.Channel, classifier: Classifier
) -> None:
    service, _ = new_service(classifier.database_url)
    stub = GalleryServiceStub(channel)
    with psycopg.connect(classifier.database_url, autocommit=True) as connection:
        with passing(connection, service.id) as key:
            await stub.GetGalleryState(pb.GetGalleryStateRequest(), metadata=[("x-api-key", key)])
        with passing(connection, service.id) as late:
            connection.execute("UPDATE keys SET expires_at = now() WHERE expires_at > now()")
            await asyncio.sleep(LIFETIME)  # as long as it may have been believed
            await refusal(
                stub.ListSubjects(pb.ListSubjectsRequest(), metadata=[("x-api-key", late)]), ApiKeyUnknown
            )
        assert [each.name for each in list_keys(connection, service.id)] == [FIRST]


def test_verify_finds_the_replica_that_differs(
    classifier: Classifier,
    embedder: str,
    obama: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service, key = new_service(classifier.database_url)
    monkeypatch.setenv("DATABASE_URL", classifier.database_url)
    second = f"127.0.0.1:{free_port()}"
    places = {"DATABASE_URL": classifier.database_url, "CLASSIFIER_EMBEDDER": embedder}
    with ExitStack() as stack:
        stack.enter_context(running("classifier", CLASSIFIER_LISTEN=second, **places))
        channels = [stack.enter_context(grpc.insecure_channel(each)) for each in (classifier.address, second)]
        face = pb.AddFaceRequest(image=obama, subject="Ann")
        GalleryServiceStub(channels[0]).AddFace(face, metadata=(("x-api-key", key),))
        for hold in (False, True):
            verify(service.name, f"{classifier.address}, {second}", hold, None)
        assert capsys.readouterr().out.count("as in the database") == 4
    # The row of a face changes behind the log's back.
    with psycopg.connect(classifier.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE faces SET embedding = set_byte(embedding, 0, get_byte(embedding, 0) # 1)"
            " WHERE gallery_id = %s",
            (service.gallery_id,),
        )
    with pytest.raises(CommandError) as told:
        verify(service.name, classifier.address, False, None)
    assert re.search(
        f"{service.name}: {classifier.address} has 1 faces at revision 1, but not the 1 that", str(told.value)
    )
    assert "DIFFERS" in capsys.readouterr().out
    with pytest.raises(CommandError, match="cannot be asked"):
        verify(service.name, second, False, None)
    with pytest.raises(CommandError, match="is called 'nobody'"):
        verify("nobody", classifier.address, False, None)
