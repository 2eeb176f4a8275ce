"""The galleries this replica holds in memory, each as fresh as Postgres when it is asked for."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from classifier.matrix import Matrix
from serving.faults import ApiKeyUnknown, GalleryBehind
from store.database import Database
from store.loading import Faces, load
from store.revisions import Changes, changes_since, newest, revisions_of

PATIENCE = 5.0  # seconds a read waits for this replica to catch up


class View(NamedTuple):
    """A gallery at one revision. The model is None while it has no face."""

    matrix: Matrix
    revision: int
    model: str | None


class Galleries:
    """Loads a gallery on its first use and keeps it in step with the change log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._views: dict[UUID, View] = {}
        self._updates: dict[UUID, asyncio.Task[None]] = {}
        self.caught_up = time.monotonic()  # when all was last found as it is in Postgres

    def held(self) -> Sequence[View]:
        """Those in memory now. May be called in any thread."""
        return list(self._views.values())

    async def fresh(self, gallery_id: UUID) -> View:
        """The gallery with every change that was acknowledged before this call.

        Raises StoreUnavailable, and GalleryBehind if it takes too long.
        """
        head = await newest(self._database, gallery_id)
        try:
            async with asyncio.timeout(PATIENCE):
                while (view := self._views.get(gallery_id)) is None or view.revision < head.revision:
                    await self._updated(gallery_id)
        except TimeoutError:
            raise GalleryBehind(
                "this replica is catching up with the gallery; try again", revision=head.revision
            ) from None
        return view

    async def catch_up(self, gallery_id: UUID | None) -> None:
        """Applies what has changed in one gallery if it is held, or with None in all that are."""
        changed = await self._behind() if gallery_id is None else {gallery_id} & self._views.keys()
        for each in changed:
            try:
                await self._updated(each)
            except ApiKeyUnknown:  # its service is gone, and its faces with it
                self._views.pop(each, None)
                self._updates.pop(each, None)
        self.caught_up = time.monotonic()

    async def _behind(self) -> list[UUID]:
        views = dict(self._views)
        revisions = await revisions_of(self._database, list(views)) if views else {}
        return [each for each, view in views.items() if revisions.get(each) != view.revision]

    async def _updated(self, gallery_id: UUID) -> None:
        """One update of a gallery at a time, for all who wait. It goes on if they give up waiting.

        Else a gallery that takes longer to load than they wait would never be loaded; and a thread that
        still fills a matrix must not meet another one.
        """
        update = self._updates.get(gallery_id)
        if update is None or update.done():
            update = self._updates[gallery_id] = asyncio.create_task(self._update(gallery_id))
        await asyncio.shield(update)

    async def _update(self, gallery_id: UUID) -> None:
        if view := self._views.get(gallery_id):
            news = await changes_since(self._database, gallery_id, view.revision)
            if not news.trimmed:
                try:
                    self._views[gallery_id] = await asyncio.to_thread(after, view, news)
                except BaseException:  # nobody knows how much of it was done
                    del self._views[gallery_id]
                    raise
                return
        matrix = Matrix()

        async def take(faces: Faces) -> None:
            await asyncio.to_thread(matrix.add, faces)

        gallery = await load(self._database, gallery_id, take)
        self._views[gallery_id] = View(matrix, gallery.revision, gallery.model)


def after(view: View, news: Changes) -> View:
    """The gallery after these changes, of which those that it has already make no difference.

    Its matrix is the same one. Searches see all of the changes, or none.
    """
    changes = [change for change in news.changes if change.revision > view.revision]
    matrix = view.matrix
    with matrix.at_once():
        for change in changes:
            match change.kind, change.id, change.merged_into:
                case "cleared", _, _:
                    matrix.clear()
                case "face erased", UUID() as face, _:
                    matrix.erase_face(face)
                case "subject erased", UUID() as subject, _:
                    matrix.erase_subject(subject)
                case "subject renamed", UUID() as subject, _:
                    matrix.rename(subject, change.name or "")  # one that has gone since has no name
                case "subject merged", UUID() as subject, UUID() as into:
                    matrix.merge(subject, into, change.name or "")
        # A face that has been erased since has lost its row, and is None here.
        if added := [change.face for change in changes if change.face]:
            packed = b"".join(face.id.bytes + face.subject_id.bytes + face.embedding for face in added)
            names = {face.subject_id: face.subject for face in added}
            matrix.add(Faces(packed, len(added[0].embedding) // 4, names))
    return View(matrix, max(view.revision, news.gallery.revision), news.gallery.model)
