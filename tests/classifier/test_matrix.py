"""The matrix, against a model that is too simple to be wrong."""

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.matrix import Floats, Hit, Matrix, empty
from store.loading import Faces

DIMENSION = 6


class Face(NamedTuple):
    face_id: UUID
    subject_id: UUID
    vector: tuple[float, ...]


def packed(faces: list[Face]) -> Faces:
    """As the store hands them over."""
    records = [face.face_id.bytes + face.subject_id.bytes + array(face).tobytes() for face in faces]
    return Faces(b"".join(records), DIMENSION, {face.subject_id: name(face) for face in faces})


def array(face: Face) -> Floats:
    return np.array(face.vector, "<f4")


def name(face: Face) -> str:
    return f"subject {face.subject_id.int}"


@dataclass
class Model:
    """A list of faces, in the order of their enrolment."""

    faces: list[Face] = field(default_factory=list)

    def search(self, probe: Floats, count: int, distinct: bool) -> list[Hit]:
        hits: list[Hit] = []
        seen: set[UUID] = set()
        for face in sorted(self.faces, key=lambda face: -float(array(face) @ probe)):
            if not (distinct and face.subject_id in seen):
                seen.add(face.subject_id)
                hits.append(Hit(face.face_id, name(face), float(array(face) @ probe)))
        return hits[:count]


# Four halves, of either sign: of norm 1, and every product of two is exact, whatever the order of its sum.
vectors = st.permutations([0.5, 0.5, 0.5, 0.5, 0.0, 0.0]).flatmap(
    lambda halves: st.tuples(*(st.sampled_from([half, -half]) for half in halves))
)
# Ids that end in zero bytes, too: NumPy's byte strings lose them.
ids = st.sampled_from([UUID(int=number << shift) for number in range(1, 6) for shift in (0, 64)])
steps = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(ids, vectors), min_size=1, max_size=70)),
    st.tuples(st.just("erase faces"), st.sets(st.integers(0, 80), max_size=3)),
    st.tuples(st.just("erase subjects"), st.sets(ids, max_size=2)),
    st.tuples(st.just("merge subjects"), st.lists(ids, min_size=2, max_size=2, unique=True)),
)


@settings(max_examples=60, deadline=None, database=None)
@given(
    history=st.lists(steps, max_size=6),
    probes=st.lists(vectors, min_size=1, max_size=20),
    count=st.integers(1, 12),
    distinct=st.booleans(),
)
def test_it_finds_what_a_search_of_every_face_finds_and_never_changes(
    history: list[tuple[str, list[tuple[UUID, tuple[float, ...]]]]],
    probes: list[tuple[float, ...]],
    count: int,
    distinct: bool,
) -> None:
    past: list[tuple[Matrix, Model]] = [(empty(), Model())]
    for number, (verb, what) in enumerate(history):
        matrix, model = past[-1]
        if verb == "add":
            added = [
                Face(UUID(int=(number + 1) * 1000 + place << 8), subject_id, vector)
                for place, (subject_id, vector) in enumerate(what)
            ]
            past.append((matrix.with_faces(packed(added)), Model([*model.faces, *added])))
            continue
        if verb == "merge subjects":
            one, other = what
            moved = [
                face._replace(subject_id=other) if face.subject_id == one else face for face in model.faces
            ]
            past.append((matrix.merged(one, other, f"subject {other.int}"), Model(moved)))
            continue
        gone = (
            {model.faces[place].face_id for place in what if place < len(model.faces)}
            if verb == "erase faces"
            else what
        )
        kept = [face for face in model.faces if face.face_id not in gone and face.subject_id not in gone]
        past.append((matrix.without(faces=gone, subjects=gone), Model(kept)))
    asked = np.array(probes, np.float32)
    for matrix, model in past:
        assert matrix.face_ids == [face.face_id for face in model.faces]
        found = matrix.search(asked, count, distinct=distinct)
        assert found == [model.search(probe, count, distinct) for probe in asked]


def face(number: int, subject: int = 1) -> Face:
    return Face(UUID(int=number), UUID(int=subject), (0.5, 0.5, 0.5, 0.5, 0.0, 0.0))


def test_two_matrices_made_of_one_do_not_meet() -> None:
    one = empty().with_faces(packed([face(1)]))
    left, right = one.with_faces(packed([face(2)])), one.with_faces(packed([face(3)]))
    assert [len(one), left.face_ids[1:], right.face_ids[1:]] == [1, [UUID(int=2)], [UUID(int=3)]]


def test_an_appended_face_costs_no_copy_of_the_others() -> None:
    matrix = empty().with_faces(packed([face(1)]))
    copies = 0
    for number in range(2, 500):
        appended = matrix.with_faces(packed([face(number)]))
        copies += not np.shares_memory(appended.rows, matrix.rows)
        matrix = appended
    assert copies <= 4  # capacity doubles


def test_an_erased_subject_leaves_no_name_behind() -> None:
    matrix = empty().with_faces(packed([face(1, 1), face(2, 2)])).without(faces=[], subjects=[UUID(int=1)])
    assert matrix._room.names == ["subject 2"]


def test_a_subject_is_renamed_in_what_follows_alone() -> None:
    one = empty().with_faces(packed([face(1, 1), face(2, 2), face(3, 1)]))
    probe = np.array([face(1).vector], np.float32)
    renamed = one.renamed(UUID(int=1), "Ann")
    assert [hit.subject for hit in renamed.search(probe, 3, distinct=False)[0]] == ["Ann", "subject 2", "Ann"]
    assert one.search(probe, 1, distinct=True)[0][0].subject == "subject 1"
    more = renamed.with_faces(packed([face(4, 3)]))
    assert more.search(probe, 4, distinct=False)[0][3].subject == "subject 3"
    assert more.merged(UUID(int=1), UUID(int=2), "Ben")._room.names == ["", "Ben", "subject 3"]


def test_after_its_last_face_a_matrix_takes_embeddings_of_another_length() -> None:
    matrix = empty().with_faces(packed([face(1)])).without(faces=[UUID(int=1)], subjects=[])
    other = Faces(face(2).face_id.bytes * 2 + np.ones(1, "<f4").tobytes(), 1, {UUID(int=2): "Ann"})
    assert matrix.with_faces(other).search(np.ones((1, 1), np.float32), 1, distinct=True) == [
        [Hit(UUID(int=2), "Ann", 1.0)]
    ]
