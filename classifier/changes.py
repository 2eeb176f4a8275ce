"""What the change log says, done to a gallery in memory."""

from uuid import UUID

from classifier.shelf import View
from store.loading import Faces
from store.revisions import Changes


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
