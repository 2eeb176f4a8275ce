"""Subjects, faces and images of a gallery, in a real Postgres."""

from uuid import UUID, uuid4

import psycopg
import pytest

from serving.faults import ArgumentInvalid, FaceNotFound, ModelMismatch, SubjectExists, SubjectNotFound
from store.additions import Additions, NewFace
from store.database import Database
from store.gallery import Erased, GalleryStore
from store.revisions import newest
from tests.galleries import IMAGE, embedding, enrol, new_gallery


def contents(url: str) -> str:
    """Every row of every table, as text."""
    with psycopg.connect(url) as connection:
        return "\n".join(
            str(connection.execute(f"SELECT * FROM {table}").fetchall())
            for table in ("galleries", "subjects", "faces", "images", "changes")
        )


async def test_each_write_raises_the_revision_by_one(store: GalleryStore, gallery_id: UUID) -> None:
    face, first = await enrol(store, gallery_id, "Ann")
    _, second = await enrol(store, gallery_id, "Ann")
    third = await store.erase_face(gallery_id, face.face_id)
    fourth = await store.erase_subject(gallery_id, "Ann")
    fifth = await store.clear(gallery_id)
    assert [first, second, third.revision, fourth.revision, fifth.revision] == [1, 2, 3, 4, 5]


async def test_a_refused_write_leaves_no_trace(
    store: GalleryStore, additions: Additions, gallery_id: UUID, database_url: str
) -> None:
    await enrol(store, gallery_id, "Ann")
    before = contents(database_url)
    with pytest.raises(FaceNotFound):
        await store.erase_face(gallery_id, uuid4())
    with pytest.raises(SubjectNotFound):
        await store.erase_subject(gallery_id, "Ben")
    with pytest.raises(ModelMismatch):
        await additions.add(gallery_id, NewFace("Ben", embedding(1), "another model", IMAGE))
    with pytest.raises(ArgumentInvalid, match="8 values"):
        await additions.add(gallery_id, NewFace("Ben", embedding(1, 16), "a model", IMAGE))
    assert contents(database_url) == before


async def test_subjects_are_one_whatever_their_letter_case(store: GalleryStore, gallery_id: UUID) -> None:
    await enrol(store, gallery_id, "Jürgen Groß")
    face, _ = await enrol(store, gallery_id, "JÜRGEN GROSS")
    assert face.subject == "Jürgen Groß"
    with pytest.raises(SubjectExists):
        await store.create_subject(gallery_id, "jürgen groß")
    assert (await store.list_faces(gallery_id, "jürgen GROSS", limit=9)).total == 2
    erased = await store.erase_subject(gallery_id, "jÜRGEN gross")
    assert (erased.subject, erased.faces) == ("Jürgen Groß", 2)


@pytest.mark.parametrize("name", ["a\0b", "'; DROP TABLE faces; --", "../../etc/passwd", "%00", "\u202eAnn"])
async def test_a_strange_name_is_a_name_like_any_other(
    store: GalleryStore, gallery_id: UUID, name: str
) -> None:
    assert (await store.list_faces(gallery_id, name, limit=9)).faces == []
    with pytest.raises(SubjectNotFound):
        await store.erase_subject(gallery_id, name)
    if "\0" not in name:
        await enrol(store, gallery_id, name)
        assert await store.list_subjects(gallery_id) == [name]


async def test_pages_of_faces_follow_one_another(store: GalleryStore, gallery_id: UUID) -> None:
    enrolled = [(await enrol(store, gallery_id, f"subject {turn % 2}"))[0] for turn in range(5)]
    one = await store.list_faces(gallery_id, None, limit=2)
    assert one.after
    two = await store.list_faces(gallery_id, None, limit=2, after=one.after)
    assert two.after
    three = await store.list_faces(gallery_id, None, limit=2, after=two.after)
    assert three.after is None
    assert [*one.faces, *two.faces, *three.faces] == enrolled
    assert (await store.list_faces(gallery_id, None, limit=2, offset=4)).faces == enrolled[4:]
    of_one = await store.list_faces(gallery_id, "Subject 1", limit=9)
    assert (of_one.faces, of_one.total, of_one.after) == (enrolled[1::2], 2, None)


async def test_pages_of_subjects_follow_one_another(store: GalleryStore, gallery_id: UUID) -> None:
    for name in ("delta", "Beta", "alpha", "Zoë", "émile"):
        await store.create_subject(gallery_id, name)
    assert await store.list_subjects(gallery_id) == ["alpha", "Beta", "delta", "Zoë", "émile"]
    assert await store.list_subjects(gallery_id, "BETA", 2) == ["delta", "Zoë"]


async def test_an_image_comes_back_byte_for_byte(store: GalleryStore, gallery_id: UUID) -> None:
    image = bytes(range(256)) * 40
    face, _ = await enrol(store, gallery_id, "Ann", image=image)
    assert await store.image(gallery_id, face.face_id) == image


async def test_what_is_erased_is_in_no_table(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    one, _ = await enrol(store, gallery_id, "Ann", 1, b"first image")
    two, _ = await enrol(store, gallery_id, "Ann", 2, b"second image")
    await store.erase_face(gallery_id, one.face_id)
    left = contents(database_url)
    assert str(embedding(1)) not in left
    assert "first image" not in left
    assert "face added" in left
    await store.erase_subject(gallery_id, "Ann")
    left = contents(database_url)
    assert "Ann" not in left
    assert "second image" not in left
    assert str(two.face_id) not in left
    assert "face added" not in left


async def test_an_empty_gallery_is_tied_to_no_model(
    store: GalleryStore, additions: Additions, gallery_id: UUID, database: Database
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann")
    assert (await newest(database, gallery_id)).model == "a model"
    await store.erase_face(gallery_id, face.face_id)
    assert (await newest(database, gallery_id)).model is None
    await additions.add(gallery_id, NewFace("Ann", embedding(1, 16), "another model", IMAGE))
    await store.erase_subject(gallery_id, "Ann")
    assert (await newest(database, gallery_id)).model is None
    await enrol(store, gallery_id, "Ann")
    await store.clear(gallery_id)
    assert (await newest(database, gallery_id)).dimension is None


async def test_a_gallery_knows_nothing_of_another(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    other = new_gallery(database_url)
    face, _ = await enrol(store, gallery_id, "Ann")
    for refused in (
        store.image(other, face.face_id),
        store.erase_face(other, face.face_id),
        store.erase_subject(other, "Ann"),
    ):
        with pytest.raises((FaceNotFound, SubjectNotFound)):
            await refused
    assert (await store.list_faces(other, None, limit=9)).total == 0
    assert await store.list_subjects(other) == []
    assert (await store.clear(other)).faces == 0
    assert (await store.list_faces(gallery_id, None, limit=9)).faces == [face]


async def test_an_embedding_that_is_cut_off_cannot_be_stored(additions: Additions, gallery_id: UUID) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await additions.add(gallery_id, NewFace("Ann", embedding(0)[:-1], "a model", IMAGE))


async def test_a_renamed_subject_keeps_its_faces(store: GalleryStore, gallery_id: UUID) -> None:
    face, _ = await enrol(store, gallery_id, "Ann")
    renamed = await store.rename_subject(gallery_id, "ANN", "Ben")
    assert renamed == (2, "Ben", True, False)
    assert await store.rename_subject(gallery_id, "ben", "Ben") == (2, "Ben", False, False)
    assert await store.rename_subject(gallery_id, "Ben", "BEN") == (3, "BEN", True, False)
    assert (await store.list_faces(gallery_id, "ben", limit=9)).faces[0].face_id == face.face_id
    assert await store.list_subjects(gallery_id) == ["BEN"]
    with pytest.raises(SubjectNotFound):
        await store.rename_subject(gallery_id, "Ann", "Cem")


async def test_a_subject_renamed_to_another_is_merged_into_it(store: GalleryStore, gallery_id: UUID) -> None:
    await enrol(store, gallery_id, "Ann")
    await enrol(store, gallery_id, "Ben")
    merged = await store.rename_subject(gallery_id, "Ann", "bEN")
    assert merged == (3, "Ben", True, True)
    assert await store.list_subjects(gallery_id) == ["Ben"]
    assert (await store.list_faces(gallery_id, "Ben", limit=9)).total == 2


async def test_faces_are_erased_together_and_strangers_passed_over(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    faces = [(await enrol(store, gallery_id, "Ann", seed))[0] for seed in range(4)]
    other = new_gallery(database_url)
    kept, _ = await enrol(store, other, "Ann")
    ids = [face.face_id for face in faces[:3]]
    erased, told = await store.erase_faces(gallery_id, [*ids, uuid4(), kept.face_id])
    assert ({face.face_id for face in erased}, told.revision) == (set(ids), 7)
    assert (await store.list_faces(gallery_id, None, limit=9)).faces == faces[3:]
    assert (await store.list_faces(other, None, limit=9)).total == 1
    assert await store.erase_faces(gallery_id, [uuid4()]) == ([], Erased(7))


async def test_a_template_is_what_was_enrolled(
    store: GalleryStore, gallery_id: UUID, database_url: str
) -> None:
    face, _ = await enrol(store, gallery_id, "Ann", 5)
    assert await store.template(gallery_id, face.face_id) == ("Ann", embedding(5), "a model")
    for where, face_id in ((gallery_id, uuid4()), (new_gallery(database_url), face.face_id)):
        with pytest.raises(FaceNotFound):
            await store.template(where, face_id)
