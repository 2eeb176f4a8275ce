"""A gallery's revision: how writers raise it, and how readers learn what changed since theirs."""

from datetime import datetime
from typing import Literal, NamedTuple, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from serving.faults import ApiKeyUnknown
from store.database import Connection, Database

T = TypeVar("T")

CHANNEL = "mien_changes"  # of NOTIFY; the payload is the gallery's id
KEPT = 10_000  # changes of a gallery that stay in the log; who is further behind loads the gallery anew
_TRIM_EVERY = 500  # revisions

Home = Literal["memory", "filling", "both", "database"]  # where a gallery is searched, as the schema says
Place = Literal["memory", "database"]  # where it is to be

Kind = Literal["face added", "face erased", "subject erased", "subject renamed", "subject merged", "cleared"]


class Gallery(NamedTuple):
    """A gallery at a revision, with the model of its embeddings (None while there is none)."""

    id: UUID
    revision: int
    model: str | None
    dimension: int | None
    home: Home = "memory"
    false_match_rate: float = 0.0  # the service's policy; read by `newest` alone, as is what follows
    indexed: bool = False  # whether its table of vectors has an index
    wanted_home: Place = "memory"
    save_images: bool = True  # whether images are kept; read by `hold_gallery` alone

    @property
    def moving_to(self) -> Place | None:
        """None: it stays where it is. As `newest` reads it."""
        return self.wanted_home if self.home != self.wanted_home and self.dimension else None

    @property
    def has_vectors(self) -> bool:
        """Whether who adds a face adds its vector."""
        return self.home != "memory"


class AddedFace(NamedTuple):
    id: UUID
    subject_id: UUID
    subject: str
    embedding: bytes  # float32 little-endian, norm 1


class Change(NamedTuple):
    """What one revision changed."""

    revision: int
    kind: Kind
    id: UUID | None  # of the face or the subject; None when the gallery was cleared
    face: AddedFace | None = None  # of "face added", unless it has been erased since
    # Of "subject renamed" and "subject merged", the subject that has the faces now: what it is called,
    # unless it has gone since.
    name: str | None = None
    merged_into: UUID | None = None  # of "subject merged": the subject that got the faces


class Changes(NamedTuple):
    """Everything between two revisions, in order, as one snapshot saw it."""

    gallery: Gallery  # at the later one
    changes: list[Change]
    trimmed: bool  # the log does not reach from the one to the other: load the gallery anew
    waited: float = 0.0  # seconds since the first of them was written down, by the clock of Postgres


class Logged(NamedTuple):
    """The gallery's revision after some changes."""

    revision: int
    at: datetime  # when the transaction began


async def hold_gallery(connection: Connection, gallery_id: UUID) -> Gallery:
    """The gallery as it is, with its row locked until the transaction ends."""
    cursor = connection.cursor(row_factory=class_row(Gallery))
    await cursor.execute(
        "SELECT id, revision, model, dimension, home, save_images FROM galleries WHERE id = %s FOR UPDATE",
        (gallery_id,),
    )
    return there(await cursor.fetchone())


async def lock_gallery(connection: Connection, gallery_id: UUID) -> Gallery:
    """The gallery with its next revision, and its row locked until the transaction ends."""
    cursor = connection.cursor(row_factory=class_row(Gallery))
    await cursor.execute(
        "UPDATE galleries SET revision = revision + 1 WHERE id = %s RETURNING id, revision, model, dimension",
        (gallery_id,),
    )
    return there(await cursor.fetchone())


async def log_change(
    connection: Connection, gallery: Gallery, kind: Kind, id_: UUID | None, merged_into: UUID | None = None
) -> None:
    """Writes down what the gallery's new revision changed, and wakes those who follow once it commits."""
    await connection.execute(
        "INSERT INTO changes (gallery_id, revision, kind, id, merged_into) VALUES (%s, %s, %s, %s, %s)",
        (gallery.id, gallery.revision, kind, id_, merged_into),
    )
    if gallery.revision % _TRIM_EVERY == 0:
        await trim(connection, gallery, KEPT)
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(gallery.id)))


async def log_changes(connection: Connection, gallery: Gallery, kind: Kind, ids: list[UUID]) -> Logged:
    """Does the same for several changes of one kind, 1 or more, to a gallery that is held.

    Each is a revision, in their order, and all of them are one notification.
    """
    after = gallery._replace(revision=gallery.revision + len(ids))
    cursor = connection.cursor(row_factory=class_row(Logged))
    await cursor.execute(
        """
        WITH logged AS (
            INSERT INTO changes (gallery_id, revision, kind, id)
            SELECT %(gallery)s, %(revision)s + n, %(kind)s, id
            FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS changed (id, n)
        ), told AS (SELECT pg_notify(%(channel)s, %(gallery)s::text))
        UPDATE galleries SET revision = %(after)s FROM told WHERE id = %(gallery)s
        RETURNING revision, now() AS at
        """,
        {
            "gallery": gallery.id,
            "revision": gallery.revision,
            "after": after.revision,
            "kind": kind,
            "ids": ids,
            "channel": CHANNEL,
        },
    )
    if after.revision // _TRIM_EVERY > gallery.revision // _TRIM_EVERY:
        await trim(connection, after, KEPT)
    logged = await cursor.fetchone()
    assert logged
    return logged


async def trim(connection: Connection, gallery: Gallery, kept: int) -> None:
    """Forgets all but the newest `kept` changes."""
    floor = gallery.revision - kept
    await connection.execute(
        "UPDATE galleries SET floor = greatest(floor, %s) WHERE id = %s", (floor, gallery.id)
    )
    await connection.execute(
        "DELETE FROM changes WHERE gallery_id = %s AND revision <= %s", (gallery.id, floor)
    )


async def newest(database: Database, gallery_id: UUID) -> Gallery:
    """The gallery at its newest committed revision. Raises StoreUnavailable."""
    async with database.statement() as connection:
        return await newest_in(connection, gallery_id)


async def newest_in(connection: Connection, gallery_id: UUID) -> Gallery:
    """The gallery at the newest revision that this transaction sees."""
    cursor = connection.cursor(row_factory=class_row(Gallery))
    await cursor.execute(
        "SELECT id, revision, model, dimension, home, false_match_rate, indexed, wanted_home"
        " FROM galleries WHERE id = %s",
        (gallery_id,),
    )
    return there(await cursor.fetchone())


async def revisions_of(database: Database, gallery_ids: list[UUID]) -> dict[UUID, int]:
    """The newest revision of each gallery that classifiers may hold. Raises StoreUnavailable."""
    async with database.statement() as connection:
        cursor = await connection.execute(
            "SELECT id, revision FROM galleries WHERE id = ANY(%s) AND home <> 'database'", (gallery_ids,)
        )
        return dict(await cursor.fetchall())


async def changes_since(database: Database, gallery_id: UUID, revision: int) -> Changes:
    """What changed after `revision`. Raises StoreUnavailable.

    One statement, so one snapshot: the newest revision and the changes up to it belong together.
    """
    async with database.statement() as connection:
        cursor = await connection.cursor(binary=True).execute(
            """
            SELECT galleries.id, galleries.revision, galleries.model, galleries.dimension, home, floor,
                   changes.revision, kind, changes.id, faces.id, subject_id, subjects.name, embedding,
                   merged_into,
                   extract(epoch FROM clock_timestamp() - changes.at)::float8
            FROM galleries
            LEFT JOIN changes ON changes.gallery_id = galleries.id AND changes.revision > %(revision)s
            LEFT JOIN faces ON faces.id = changes.id AND kind = 'face added'
            LEFT JOIN subjects ON subjects.id = coalesce(subject_id, merged_into, changes.id)
            WHERE galleries.id = %(gallery)s
            ORDER BY changes.revision
            """,
            {"gallery": gallery_id, "revision": revision},
        )
        rows = await cursor.fetchall()
    if not rows:
        raise _gone()
    gallery, floor = Gallery(*rows[0][:5]), rows[0][5]
    # A revision that is still to come is of another past: the database was put back to an older state.
    if not floor <= revision <= gallery.revision:
        return Changes(gallery, [], trimmed=True)
    changes = [_change(*row[6:-1]) for row in rows if row[6] is not None]
    return Changes(gallery, changes, trimmed=False, waited=rows[0][-1] or 0.0)


def _change(
    revision: int,
    kind: Kind,
    id_: UUID | None,
    face_id: UUID | None,
    subject_id: UUID,
    subject: str,  # None without a face, unless the change is of a subject that is there
    embedding: bytes,
    merged_into: UUID | None,
) -> Change:
    face = AddedFace(face_id, subject_id, subject, embedding) if face_id else None
    return Change(revision, kind, id_, face, None if face else subject, merged_into)


def there(gallery: T | None) -> T:
    """What was found of a gallery. Raises ApiKeyUnknown if nothing was."""
    if gallery is None:
        raise _gone()
    return gallery


def _gone() -> ApiKeyUnknown:
    # A key opened it a moment ago: its service has been deleted since.
    return ApiKeyUnknown("no recognition service has this key", service_type="recognition")
