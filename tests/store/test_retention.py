"""What galleries keep, and for how long, with a clock that is moved."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from classifier.galleries import Galleries
from classifier.upkeep import Upkeep
from mien.cli.commands import app
from serving.faults import FaceNotFound, ImageNotKept
from store.additions import Additions, NewFace
from store.database import Database
from store.gallery import GalleryStore
from store.retention import Keeping, keep, keeping_of
from store.services import Service, ServiceError, create_service
from tests.galleries import IMAGE, MODEL, embedding, enrol, new_service
from tests.store.test_audited import events

FOREVER = Keeping(images=True, images_days=None, faces_days=None)


@pytest.fixture
def service(database_url: str) -> Service:
    return new_service(database_url)[0]


@pytest.fixture
def gallery_id(service: Service) -> UUID:
    assert service.gallery_id
    return service.gallery_id


@pytest.fixture
def upkeep(database: Database) -> Upkeep:
    return Upkeep(database, audit_days=100)


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def keeps(url: str, service: Service, keeping: Keeping) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        keep(connection, service.name, keeping)
        assert keeping_of(connection, service.name) == keeping


async def test_images_go_when_their_time_has_come_and_faces_stay(
    store: GalleryStore, upkeep: Upkeep, service: Service, gallery_id: UUID, database_url: str
) -> None:
    keeps(database_url, service, FOREVER._replace(images_days=30))
    face, revision = await enrol(store, gallery_id, "Ann")
    await upkeep.once(in_days(29.9))
    assert await store.image(gallery_id, face.face_id) == IMAGE
    await upkeep.once(in_days(30.1))
    with pytest.raises(ImageNotKept):
        await store.image(gallery_id, face.face_id)
    assert (await store.list_faces(gallery_id, None, limit=9)).total == 1
    await upkeep.once(in_days(31))
    told = events(database_url)
    assert [each.action for each in told[2:]] == ["face.added", "image.downloaded", "images.erased"]
    assert (told[-1].actor, told[-1].service_id) == ("mien", service.id)
    assert told[-1].details == {"revision": revision, "subjects": 0, "faces": 0, "images": 1}


async def test_faces_go_as_any_erased_face_does_and_subjects_with_the_last_of_theirs(
    store: GalleryStore,
    upkeep: Upkeep,
    service: Service,
    gallery_id: UUID,
    database: Database,
    database_url: str,
) -> None:
    keeps(database_url, service, FOREVER._replace(faces_days=30))
    for seed in range(3):
        await enrol(store, gallery_id, "Ann", seed)
    await enrol(store, gallery_id, "Ben", 9)
    young, _ = await enrol(store, gallery_id, "Ben", 10)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE faces SET created_at = now() + interval '9 days' WHERE id = %s", (young[0],)
        )
    galleries = Galleries(database, budget=1 << 20)
    assert len((await galleries.fresh(gallery_id)).matrix) == 5
    await upkeep.once(in_days(29.9))
    assert (await store.list_faces(gallery_id, None, limit=9)).total == 5
    await upkeep.once(in_days(30.1))
    assert (await store.list_faces(gallery_id, None, limit=9)).faces[0].face_id == young.face_id
    assert await store.list_subjects(gallery_id) == ["Ben"]
    assert len((await galleries.fresh(gallery_id)).matrix) == 1
    last = events(database_url)[-1]
    assert (last.action, last.actor, len(last.subjects)) == ("faces.erased", "mien", 2)
    assert last.details == {"revision": 9, "subjects": 1, "faces": 4, "images": 4}


async def test_any_number_goes_in_batches(
    store: GalleryStore,
    additions: Additions,
    upkeep: Upkeep,
    service: Service,
    gallery_id: UUID,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("store.retention.BATCH", 4)
    monkeypatch.setattr("classifier.upkeep.BREATH", 0)
    keeps(database_url, service, Keeping(images=True, images_days=10, faces_days=20))
    await additions.add_all(gallery_id, [NewFace(f"{n}", embedding(n), MODEL, IMAGE) for n in range(10)])
    await upkeep.once(in_days(11))
    await upkeep.once(in_days(21))
    told = [(each.action, each.details["images"], each.details["faces"]) for each in events(database_url)[3:]]
    assert told == [
        *[("images.erased", count, 0) for count in (4, 4, 2)],
        *[("faces.erased", 0, count) for count in (4, 4, 2)],
    ]
    assert await store.list_subjects(gallery_id) == []


async def test_what_is_kept_for_good_stays(
    store: GalleryStore, upkeep: Upkeep, gallery_id: UUID, database_url: str
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann")
    await upkeep.once(in_days(99))
    assert await store.image(gallery_id, face.face_id) == IMAGE


async def test_old_events_go(upkeep: Upkeep, service: Service, database_url: str) -> None:
    keeps(database_url, service, FOREVER)
    await upkeep.once(in_days(99))
    assert len(events(database_url)) == 2
    await upkeep.once(in_days(101))
    assert [each.action for each in events(database_url)] == ["service.changed", "audit.trimmed"]


async def test_without_images_none_is_stored_from_then_on(
    store: GalleryStore, service: Service, gallery_id: UUID, database_url: str
) -> None:
    before, _ = await enrol(store, gallery_id, "Ann")
    keeps(database_url, service, FOREVER._replace(images=False))
    after, _ = await enrol(store, gallery_id, "Ann", 1)
    assert await store.image(gallery_id, before.face_id) == IMAGE
    with pytest.raises(ImageNotKept):
        await store.image(gallery_id, after.face_id)
    with psycopg.connect(database_url) as connection:
        assert len(connection.execute("SELECT FROM images").fetchall()) == 1
    with pytest.raises(FaceNotFound):
        await store.image(gallery_id, UUID(int=0))


def test_days_are_a_sensible_number_and_services_those_that_recognise(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        create_service(connection, "eyes", "detection")
        for name, keeping in {"eyes": FOREVER, "nobody's": FOREVER}.items():
            with pytest.raises(ServiceError, match="no recognition service"):
                keep(connection, name, keeping)
        with pytest.raises(ServiceError, match="from 1 to 36500"):
            keep(connection, "eyes", FOREVER._replace(faces_days=36_501))


def test_the_command_changes_what_it_is_told_and_shows_the_rest(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    def services(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["services", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    services("create", "friends", "--type", "recognition", "--no-images")
    assert services("retention", "friends", "--faces-days", "9").splitlines() == [
        "new images: not kept",
        "images: as long as their faces",
        "faces: 9 days",
    ]
    told = services("retention", "friends", "--images", "--images-days", "3", "--faces-days", "0")
    assert told.splitlines() == ["new images: kept", "images: 3 days", "faces: until they are erased"]
