"""One gallery's subjects, faces and images in Postgres. Every write is one transaction."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from psycopg.rows import class_row

from serving.faults import FaceNotFound, ModelMismatch, SubjectExists, SubjectNotFound
from store.database import Connection, Database
from store.revisions import lock_gallery, log_change


class StoredFace(NamedTuple):
    face_id: UUID
    subject: str
    created_at: datetime


class _Subject(NamedTuple):
    id: UUID
    name: str  # as it was first given


class Page(NamedTuple):
    """Some of the faces of a list, where the list goes on, and how many it has."""

    faces: list[StoredFace]
    after: int | None  # give it back for what follows; None: nothing follows
    total: int


class Erased(NamedTuple):
    """What an erasure took away, and the gallery's revision without it."""

    revision: int
    subject: str = ""
    subjects: int = 0
    faces: int = 0


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

    async def add_face(
        self, gallery_id: UUID, subject: str, embedding: bytes, image: bytes, model: str
    ) -> tuple[StoredFace, int]:
        """Keeps a face, under a subject that is made if need be; returns it and the new revision.

        `embedding` is float32 little-endian of norm 1. Raises ModelMismatch.
        """
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            check_model(gallery.model, model)
            if gallery.model is None:
                await connection.execute(
                    "UPDATE galleries SET model = %s, dimension = %s WHERE id = %s",
                    (model, len(embedding) // 4, gallery_id),
                )
            elif gallery.dimension != len(embedding) // 4:
                raise ValueError(f"an embedding of another length than the gallery's {gallery.dimension}")
            subject_id, name = await _subject_for(connection, gallery_id, subject)
            face_id = uuid4()
            cursor = await connection.execute(
                "INSERT INTO faces (id, gallery_id, subject_id, embedding, model)"
                " VALUES (%s, %s, %s, %s, %s) RETURNING created_at",
                (face_id, gallery_id, subject_id, embedding, model),
            )
            row = await cursor.fetchone()
            assert row
            await connection.execute(
                "INSERT INTO images (face_id, content) VALUES (%s, %s)", (face_id, image)
            )
            await log_change(connection, gallery, "face added", face_id)
        return StoredFace(face_id, name, row[0]), gallery.revision

    async def erase_face(self, gallery_id: UUID, face_id: UUID) -> Erased:
        """Erases a face with its image; its subject stays. Raises FaceNotFound."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            cursor = await connection.execute(
                "DELETE FROM faces USING subjects WHERE faces.id = %s AND faces.gallery_id = %s"
                " AND subjects.id = subject_id RETURNING name",
                (face_id, gallery_id),
            )
            row = await cursor.fetchone()
            if row is None:
                raise FaceNotFound(f"there is no face {face_id} in this gallery", face_id=face_id)
            await connection.execute("DELETE FROM changes WHERE id = %s", (face_id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "face erased", face_id)
        return Erased(gallery.revision, row[0], faces=1)

    async def erase_subject(self, gallery_id: UUID, name: str) -> Erased:
        """Erases a subject, named in any letter case, with its faces. Raises SubjectNotFound."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            subject = await _find_subject(connection, gallery_id, name)
            if subject is None:
                raise SubjectNotFound(f"there is no subject {name!r} in this gallery", subject=name)
            await connection.execute(
                "DELETE FROM changes USING faces WHERE subject_id = %s AND changes.id = faces.id",
                (subject.id,),
            )
            faces = await connection.execute("DELETE FROM faces WHERE subject_id = %s", (subject.id,))
            await connection.execute("DELETE FROM subjects WHERE id = %s", (subject.id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "subject erased", subject.id)
        return Erased(gallery.revision, subject.name, 1, faces.rowcount)

    async def clear(self, gallery_id: UUID) -> Erased:
        """Erases every subject and face, and with them the gallery's tie to a model."""
        async with self._database.transaction() as connection:
            gallery = await lock_gallery(connection, gallery_id)
            faces = await connection.execute("DELETE FROM faces WHERE gallery_id = %s", (gallery_id,))
            subjects = await connection.execute("DELETE FROM subjects WHERE gallery_id = %s", (gallery_id,))
            await connection.execute("DELETE FROM changes WHERE gallery_id = %s", (gallery_id,))
            await _forget_model_if_empty(connection, gallery_id)
            await log_change(connection, gallery, "cleared", None)
        return Erased(gallery.revision, "", subjects.rowcount, faces.rowcount)

    async def create_subject(self, gallery_id: UUID, name: str) -> None:
        """Makes a subject without faces. Raises SubjectExists, letter case aside."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO subjects (id, gallery_id, name, folded) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (gallery_id, folded) DO NOTHING",
                (uuid4(), gallery_id, name, name.casefold()),
            )
            if not cursor.rowcount:
                raise SubjectExists(f"there is a subject {name!r} already, letter case aside")

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
                found = await _find_subject(connection, gallery_id, subject)
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
            cursor = await connection.execute(f"SELECT count(*) FROM faces WHERE {whose}", (of,))
            total = await cursor.fetchone()
            assert total
        faces = [StoredFace(*row[:3]) for row in rows[:limit]]
        return Page(faces, rows[limit - 1][3] if len(rows) > limit else None, total[0])

    async def image(self, gallery_id: UUID, face_id: UUID) -> bytes:
        """The file a face was enrolled from. Raises FaceNotFound."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT content FROM images JOIN faces ON faces.id = face_id"
                " WHERE face_id = %s AND gallery_id = %s",
                (face_id, gallery_id),
            )
            row = await cursor.fetchone()
        if row is None:
            raise FaceNotFound(f"there is no face {face_id} in this gallery", face_id=face_id)
        return bytes(row[0])


async def _find_subject(connection: Connection, gallery_id: UUID, name: str) -> _Subject | None:
    """The subject of a name in any letter case."""
    if "\0" in name:  # no text in Postgres has one, and psycopg refuses it
        return None
    cursor = connection.cursor(row_factory=class_row(_Subject))
    await cursor.execute(
        "SELECT id, name FROM subjects WHERE gallery_id = %s AND folded = %s", (gallery_id, name.casefold())
    )
    return await cursor.fetchone()


async def _subject_for(connection: Connection, gallery_id: UUID, name: str) -> _Subject:
    """The subject of a name in any letter case, made if need be, in a gallery that is locked."""
    if subject := await _find_subject(connection, gallery_id, name):
        return subject
    cursor = connection.cursor(row_factory=class_row(_Subject))
    await cursor.execute(
        "INSERT INTO subjects (id, gallery_id, name, folded) VALUES (%s, %s, %s, %s)"
        # Another caller may make the subject, alone, without the lock.
        " ON CONFLICT (gallery_id, folded) DO UPDATE SET folded = excluded.folded RETURNING id, name",
        (uuid4(), gallery_id, name, name.casefold()),
    )
    made = await cursor.fetchone()
    assert made
    return made


async def _forget_model_if_empty(connection: Connection, gallery_id: UUID) -> None:
    """What has no face is tied to no model."""
    await connection.execute(
        "UPDATE galleries SET model = NULL, dimension = NULL"
        " WHERE id = %s AND NOT EXISTS (SELECT FROM faces WHERE gallery_id = galleries.id)",
        (gallery_id,),
    )
