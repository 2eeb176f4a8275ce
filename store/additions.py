"""Adds faces to a gallery, any number of them in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

from serving.faults import ArgumentInvalid, Fault, GalleryFull, IdempotencyKeyUsed, ModelMismatch
from store.audit import Actor, Event, acting, record
from store.database import Connection, Database
from store.gallery import StoredFace, check_model
from store.revisions import Gallery, hold_gallery, log_changes, newest_in
from store.subjects import Subject, subjects_for
from store.vectors import write


class Key(NamedTuple):
    """What an add is known by when it is tried again."""

    text: str
    fingerprint: bytes  # SHA-256 of what is added: under the same key it is the same


class NewFace(NamedTuple):
    subject: str
    embedding: bytes  # float32 little-endian, norm 1
    model: str  # that made it
    image: bytes | None  # the file
    key: Key | None = None
    max_faces: int | None = None  # that the gallery may have with it; None: any number
    by: Actor | None = None  # who adds it, if that is not who acts in the task that writes it


class Added(NamedTuple):
    """A face that is there, and a revision of the gallery that has it: the first, unless it was there."""

    face: StoredFace
    revision: int


class _Row(NamedTuple):
    """A face that is about to be written; the first becomes the gallery's next revision, and so on."""

    id: UUID
    face: NewFace
    revision: int


class Additions:
    """Each method raises StoreUnavailable when Postgres is away: then a face may be there or not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, gallery_id: UUID, face: NewFace) -> Added:
        """Adds one. Raises ModelMismatch, ArgumentInvalid, IdempotencyKeyUsed, GalleryFull."""
        (outcome,) = await self.add_all(gallery_id, [face])
        if isinstance(outcome, Fault):
            raise outcome
        return outcome

    async def add_all(self, gallery_id: UUID, faces: Sequence[NewFace]) -> list[Added | Fault]:
        """Adds those that can be added, in one transaction, under subjects that are made if need be.

        Returns what became of each, in their order; a fault is one that `add` raises.
        """
        async with self._database.transaction() as connection:
            gallery = await hold_gallery(connection, gallery_id)
            keys = [face.key.text for face in faces if face.key]
            there = await _known(connection, gallery, keys) if keys else {}
            rows, outcomes = _planned(gallery, faces, there, await _size(connection, gallery, faces))
            added = await _write(connection, gallery, rows) if rows else {}
        return [added[each.id] if isinstance(each, _Row) else each for each in outcomes]

    async def known(self, gallery_id: UUID, key: Key) -> Added | None:
        """The face that was added under this key, if it is there. Raises IdempotencyKeyUsed."""
        async with self._database.transaction() as connection:
            there = await _known(connection, await newest_in(connection, gallery_id), [key.text])
        return _same(*there[key.text], key) if key.text in there else None


async def _size(connection: Connection, gallery: Gallery, faces: Sequence[NewFace]) -> int:
    """How many faces a gallery that is held has; or more, if so many more may be added all the same."""
    most = [face.max_faces for face in faces if face.max_faces is not None]
    # Each face made a revision, so it has no more than those.
    if not most or gallery.revision + len(faces) <= min(most):
        return gallery.revision
    cursor = await connection.execute("SELECT count(*) FROM faces WHERE gallery_id = %s", (gallery.id,))
    (count,) = await cursor.fetchone() or (0,)
    return int(count)


def _planned(
    gallery: Gallery, faces: Iterable[NewFace], there: dict[str, tuple[Added, bytes]], size: int
) -> tuple[list[_Row], list[_Row | Added | Fault]]:
    """What is to be written, and for each face its row, or the one that was there, or what is wrong."""
    rows: list[_Row] = []
    by_key: dict[str, _Row] = {}
    outcomes: list[_Row | Added | Fault] = []
    for face in faces:
        try:
            if face.key and (known := there.get(face.key.text)):
                outcomes.append(_same(*known, face.key))
            elif face.key and (twin := by_key.get(face.key.text)):
                _check_key(twin.id, twin.face.key, face.key)
                outcomes.append(twin)
            else:
                gallery = _checked(gallery, face, size + len(rows))
                row = _Row(uuid4(), face, gallery.revision + len(rows) + 1)
                if face.key:
                    by_key[face.key.text] = row
                rows.append(row)
                outcomes.append(row)
        except (ModelMismatch, ArgumentInvalid, IdempotencyKeyUsed, GalleryFull) as fault:
            outcomes.append(fault)
    return rows, outcomes


def _checked(gallery: Gallery, face: NewFace, size: int) -> Gallery:
    """The gallery as it is with the face, which ties it to a model if it had none."""
    if face.max_faces is not None and size >= face.max_faces:
        raise GalleryFull(
            f"this API key may add faces until the gallery has {face.max_faces}; erase some",
            max_faces=face.max_faces,
        )
    check_model(gallery.model, face.model)
    dimension = len(face.embedding) // 4
    if gallery.model is not None and gallery.dimension != dimension:
        raise ArgumentInvalid(
            f"embeddings of this gallery have {gallery.dimension} values", field="embedding"
        )
    return gallery._replace(model=face.model, dimension=dimension)


def _same(added: Added, fingerprint: bytes, key: Key) -> Added:
    _check_key(added.face.face_id, Key(key.text, fingerprint), key)
    return added


def _check_key(face_id: UUID, first: Key | None, key: Key) -> None:
    if first != key:
        raise IdempotencyKeyUsed(
            "another face was added under this idempotency key; use a new key for each face", face_id=face_id
        )


async def _known(connection: Connection, gallery: Gallery, keys: list[str]) -> dict[str, tuple[Added, bytes]]:
    """The faces that have these keys, with their fingerprints."""
    cursor = await connection.cursor(binary=True).execute(
        # Not a join: its plan, made while there were few subjects, would read all of them later on.
        "SELECT idempotency_key, fingerprint, id,"
        " (SELECT name FROM subjects WHERE subjects.id = subject_id), created_at"
        " FROM faces WHERE gallery_id = %s AND idempotency_key = ANY(%s) AND idempotency_key IS NOT NULL",
        (gallery.id, keys),
    )
    return {
        key: (Added(StoredFace(*face), gallery.revision), fingerprint)
        for key, fingerprint, *face in await cursor.fetchall()
    }


async def _write(connection: Connection, gallery: Gallery, rows: list[_Row]) -> dict[UUID, Added]:
    """Writes rows into a gallery that is held."""
    model, dimension = rows[0].face.model, len(rows[0].face.embedding) // 4
    if gallery.model is None:
        await connection.execute(
            "UPDATE galleries SET model = %s, dimension = %s WHERE id = %s", (model, dimension, gallery.id)
        )
    subjects = await subjects_for(connection, gallery.id, [row.face.subject for row in rows])
    written = [(row, subjects[row.face.subject.casefold()]) for row in rows]
    faces = (
        (row.id, gallery.id, subject.id, row.face.embedding, model, *(row.face.key or (None, None)))
        for row, subject in written
    )
    columns = "id, gallery_id, subject_id, embedding, model, idempotency_key, fingerprint"
    await _copy(connection, f"faces ({columns})", "uuid uuid uuid bytea text text bytea", faces)
    images = [(row.id, row.face.image) for row in rows if row.face.image is not None and gallery.save_images]
    if images:
        await _copy(connection, "images (face_id, content)", "uuid bytea", images)
    if gallery.has_vectors:
        await write(connection, gallery.id, [(row.id, row.face.embedding) for row in rows])
    logged = await log_changes(connection, gallery, "face added", [row.id for row in rows])
    for event in _events(gallery, written, {id_ for id_, _ in images}):
        await record(connection, event)
    return {
        row.id: Added(StoredFace(row.id, subject.name, logged.at), row.revision) for row, subject in written
    }


def _events(gallery: Gallery, written: list[tuple[_Row, Subject]], images: set[UUID]) -> Iterator[Event]:
    """One for each who adds, however many faces."""
    for by in dict.fromkeys(row.face.by or acting() for row, _ in written):
        mine = [(row, subject) for row, subject in written if (row.face.by or acting()) == by]
        told = {
            "faces": len(mine),
            "images": sum(row.id in images for row, _ in mine),
            "revision": mine[-1][0].revision,
        }
        what = ("face.added", mine[0][0].id) if len(mine) == 1 else ("faces.added", gallery.id)
        subjects = sorted({subject.id for _, subject in mine})
        yield Event(*what, subjects, told, gallery_id=gallery.id, actor=by)


async def _copy(connection: Connection, table: str, types: str, rows: Iterable[tuple[object, ...]]) -> None:
    async with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(types.split())
        for row in rows:
            await copy.write_row(row)
