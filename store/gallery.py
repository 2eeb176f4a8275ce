"""One gallery's subjects, faces and images in Postgres. Every write is one transaction."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from serving.faults import FaceNotFound, ImageNotKept, ModelMismatch, SubjectExists, SubjectNotFound
from store.audit import Event, record
from store.database import Connection, Database
from store.revisions import hold_gallery, lock_gallery, log_change, log_changes
from store.subjects import find_subject, merge, rename, subjects_for


class StoredFace(NamedTuple):
    face_id: UUID
    subject: str
    created_at: datetime


class Template(NamedTuple):
    """What of an enrolled face others are compared with."""

    subject: str
    embedding: bytes  # float32 little-endian, norm 1
    model: str  # that made it


class Page(NamedTuple):
    """Some of the faces of a list, where the list goes on, and how many it has."""

    faces: list[StoredFace]
    after: int | None  # give it back for what follows; None: nothing follows
    total: int


class Renamed(NamedTuple):
    """What became of a subject, and the gallery's revision that has it so."""

    revision: int
    subject: str  # its name now
    changed: bool  # False: it had this very name
    merged: bool  # into another subject, whose spelling stays


class Erased(NamedTuple):
    """What an erasure took away, and the gallery's revision without it."""

    revision: int
    subject: str = ""
    subjects: int = 0
    faces: int = 0
    images: int = 0
    receipt: UUID | None = None  # the event of the audit log; None if there was nothing to erase


def check_model(gallery_model: str | None, model: str) -> None:
    """Raises ModelMismatch unless the gallery is empty (None) or its embeddings are of the same model."""
    if gallery_model not in (None, model):
        raise ModelMismatch(
            f"the gallery was enrolled with the model {gallery_model}, this embedder has {model}",
            gallery_model=gallery_model,
            model=model,
        )


class GalleryStore:
    """The stored side of all galleries. Each method raises StoreUnavailable when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase_face(self, gallery_id: UUID, face_id: UUID) -> Erased:
        """Erases a face with its image; its subject stays. Raises FaceNotFound."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            images = await _erase_images(connection, "faces.id = %s AND gallery_id = %s", face_id, gallery_id)
            cursor = await connection.execute(
                "DELETE FROM faces USING subjects WHERE faces.id = %s AND faces.gallery_id = %s"
                " AND subjects.id = subject_id RETURNING name, subject_id",
                (face_id, gallery_id),
            )
            row = await cursor.fetchone()
            if row is None:
                raise _no_face(face_id)
            await connection.execute("DELETE FROM changes WHERE id = %s", (face_id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "face erased", face_id)
            erased = Erased(gallery.revision, row[0], faces=1, images=images)
            return await _receipt(connection, gallery_id, Event("face.erased", face_id, [row[1]]), erased)

    async def erase_faces(
        self, gallery_id: UUID, face_ids: list[UUID], *, and_subjects: bool = False
    ) -> tuple[list[StoredFace], Erased]:
        """Erases those of the faces that are there; returns them, and what else went.

        With `and_subjects`, their subjects too that have no other.
        """
        async with self._database.transaction() as connection:
            gallery = await hold_gallery(connection, gallery_id)
            images = await _erase_images(
                connection, "faces.id = ANY(%s) AND gallery_id = %s", face_ids, gallery_id
            )
            cursor = await connection.execute(
                "DELETE FROM faces USING subjects WHERE faces.id = ANY(%s) AND faces.gallery_id = %s"
                " AND subjects.id = subject_id RETURNING faces.id, name, created_at, subject_id",
                (face_ids, gallery_id),
            )
            rows = await cursor.fetchall()
            ids, subjects = [row[0] for row in rows], sorted({row[3] for row in rows})
            await connection.execute("DELETE FROM changes WHERE id = ANY(%s)", (ids,))
            await _forget_model_if_empty(connection, gallery_id)
            if not ids:
                return [], Erased(gallery.revision)
            gone = await connection.execute(
                "DELETE FROM subjects WHERE %s AND id = ANY(%s)"
                " AND NOT EXISTS (SELECT FROM faces WHERE subject_id = subjects.id)",
                (and_subjects, subjects),
            )
            logged = await log_changes(connection, gallery, "face erased", ids)
            erased = Erased(logged.revision, "", gone.rowcount, len(ids), images)
            erased = await _receipt(
                connection, gallery_id, Event("faces.erased", gallery_id, subjects), erased
            )
            return [StoredFace(*row[:3]) for row in rows], erased

    async def erase_subject(self, gallery_id: UUID, name: str) -> Erased:
        """Erases a subject, named in any letter case, with its faces. Raises SubjectNotFound."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            subject = await find_subject(connection, gallery_id, name)
            if subject is None:
                raise SubjectNotFound(f"there is no subject {name!r} in this gallery", subject=name)
            await connection.execute(
                "DELETE FROM changes USING faces WHERE subject_id = %s AND changes.id = faces.id",
                (subject.id,),
            )
            images = await _erase_images(connection, "subject_id = %s", subject.id)
            faces = await connection.execute("DELETE FROM faces WHERE subject_id = %s", (subject.id,))
            await connection.execute("DELETE FROM subjects WHERE id = %s", (subject.id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "subject erased", subject.id)
            erased = Erased(gallery.revision, subject.name, 1, faces.rowcount, images)
            return await _receipt(
                connection, gallery_id, Event("subject.erased", subject.id, [subject.id]), erased
            )

    async def clear(self, gallery_id: UUID) -> Erased:
        """Erases every subject and face, and with them the gallery's tie to a model."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            images = await _erase_images(connection, "gallery_id = %s", gallery_id)
            faces = await connection.execute("DELETE FROM faces WHERE gallery_id = %s", (gallery_id,))
            subjects = await connection.execute("DELETE FROM subjects WHERE gallery_id = %s", (gallery_id,))
            await connection.execute("DELETE FROM changes WHERE gallery_id = %s", (gallery_id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "cleared", None)
            erased = Erased(gallery.revision, "", subjects.rowcount, faces.rowcount, images)
            return await _receipt(connection, gallery_id, Event("gallery.cleared", gallery_id), erased)

    async def create_subject(self, gallery_id: UUID, name: str) -> None:
        """Makes a subject without faces. Raises SubjectExists, letter case aside."""
        async with self._database.transaction() as connection:
            await hold_gallery(connection, gallery_id)
            if await find_subject(connection, gallery_id, name):
                raise SubjectExists(f"there is a subject {name!r} already, letter case aside")
            (made,) = (await subjects_for(connection, gallery_id, [name])).values()
            await record(connection, Event("subject.created", made.id, [made.id], gallery_id=gallery_id))

    async def rename_subject(self, gallery_id: UUID, name: str, new_name: str) -> Renamed:
        """Gives a subject another name, or its faces to the subject that has that name already.

        Names are found in any letter case. Raises SubjectNotFound.
        """
        async with self._database.transaction() as connection:
            gallery = await hold_gallery(connection, gallery_id)
            subject = await find_subject(connection, gallery_id, name)
            if subject is None:
                raise SubjectNotFound(f"there is no subject {name!r} in this gallery", subject=name)
            if subject.name == new_name:
                return Renamed(gallery.revision, new_name, changed=False, merged=False)
            other = await find_subject(connection, gallery_id, new_name)
            gallery = await lock_gallery(connection, gallery_id)
            if other is None or other.id == subject.id:
                await rename(connection, subject.id, new_name)
                await log_change(connection, gallery, "subject renamed", subject.id)
                event = Event("subject.renamed", subject.id, [subject.id], {"revision": gallery.revision})
                await record(connection, event._replace(gallery_id=gallery_id))
                return Renamed(gallery.revision, new_name, changed=True, merged=False)
            await merge(connection, subject.id, other.id)
            await log_change(connection, gallery, "subject merged", subject.id, other.id)
            both, into = [subject.id, other.id], str(other.id)
            event = Event("subject.merged", subject.id, both, {"revision": gallery.revision, "into": into})
            await record(connection, event._replace(gallery_id=gallery_id))
            return Renamed(gallery.revision, other.name, changed=True, merged=True)

    async def list_subjects(self, gallery_id: UUID, after: str = "", limit: int | None = None) -> list[str]:
        """Their names in order, those that follow the name `after`; all of them without a limit."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT name FROM subjects WHERE gallery_id = %s AND folded > %s ORDER BY folded LIMIT %s",
                (gallery_id, after.casefold(), limit),
            )
            return [name for (name,) in await cursor.fetchall()]

    async def list_faces(
        self, gallery_id: UUID, subject: str | None, *, limit: int, after: int = 0, offset: int = 0
    ) -> Page:
        """Faces in the order they were enrolled, of one subject or of all."""
        async with self._database.transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            whose, of = "faces.gallery_id = %s", gallery_id
            if subject is not None:
                found = await find_subject(connection, gallery_id, subject)
                if found is None:
                    return Page([], None, 0)
                whose, of = "subject_id = %s", found.id
            cursor = await connection.execute(
                "SELECT faces.id, name, created_at, enrolled"
                f" FROM faces JOIN subjects ON subjects.id = subject_id WHERE {whose} AND enrolled > %s"
                " ORDER BY enrolled LIMIT %s OFFSET %s",
                (of, after, limit + 1, offset),  # one more shows whether anything follows
            )
            rows = await cursor.fetchall()
            count = f"SELECT count(*) FROM faces WHERE {whose}"
            cursor = await connection.execute(count, (of,))
            total = await cursor.fetchone()
            assert total
        faces = [StoredFace(*row[:3]) for row in rows[:limit]]
        return Page(faces, rows[limit - 1][3] if len(rows) > limit else None, total[0])

    async def template(self, gallery_id: UUID, face_id: UUID) -> Template:
        """What a face is compared by. Raises FaceNotFound."""
        async with self._database.transaction() as connection:
            cursor = connection.cursor(row_factory=class_row(Template), binary=True)
            await cursor.execute(
                "SELECT name AS subject, embedding, model"
                " FROM faces JOIN subjects ON subjects.id = subject_id"
                " WHERE faces.id = %s AND faces.gallery_id = %s",
                (face_id, gallery_id),
            )
            found = await cursor.fetchone()
        if found is None:
            raise _no_face(face_id)
        return found

    async def all_of_model(self, model: str) -> bool:
        """Whether no gallery has faces of another model."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute("SELECT FROM galleries WHERE model <> %s LIMIT 1", (model,))
            return await cursor.fetchone() is None

    async def image(self, gallery_id: UUID, face_id: UUID) -> bytes:
        """The file a face was enrolled from. Raises FaceNotFound, ImageNotKept."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT content, subject_id FROM faces LEFT JOIN images ON face_id = faces.id"
                " WHERE faces.id = %s AND gallery_id = %s",
                (face_id, gallery_id),
            )
            row = await cursor.fetchone()
            if row is None:
                raise _no_face(face_id)
            if row[0] is None:
                raise ImageNotKept(f"no image is kept of the face {face_id}", face_id=face_id)
            await record(connection, Event("image.downloaded", face_id, [row[1]], gallery_id=gallery_id))
        return bytes(row[0])


def _no_face(face_id: UUID) -> FaceNotFound:
    return FaceNotFound(f"there is no face {face_id} in this gallery", face_id=face_id)


async def _erase_images(connection: Connection, whose: str, *parameters: object) -> int:
    """Erases the images of some faces, before those go, and returns how many there were."""
    erased = await connection.execute(
        f"DELETE FROM images USING faces WHERE faces.id = face_id AND {whose}", parameters
    )
    return erased.rowcount


async def _receipt(connection: Connection, gallery_id: UUID, event: Event, erased: Erased) -> Erased:
    """The same, with the id of the event that tells of it."""
    told = {name: getattr(erased, name) for name in ("revision", "subjects", "faces", "images")}
    receipt = await record(connection, event._replace(details=told, gallery_id=gallery_id))
    return erased._replace(receipt=receipt)


async def _forget_model_if_empty(connection: Connection, gallery_id: UUID) -> None:
    """What has no face is tied to no model, and begins in memory again."""
    await connection.execute(
        "UPDATE galleries SET model = NULL, dimension = NULL,"
        " home = 'memory', wanted_home = 'memory', indexed = false, left_at = NULL"
        " WHERE id = %s AND NOT EXISTS (SELECT FROM faces WHERE gallery_id = galleries.id)",
        (gallery_id,),
    )
