"""The matrix, against a model that is too simple to be wrong, and while others change it."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import blocks, product, scan
from classifier.matrix import Floats, Hit, Matrix
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


def cosine(face: Face, probe: Floats) -> float:
    return float((array(face).astype(np.float64) * probe).sum())


def name(face: Face) -> str:
    return f"subject {face.subject_id.int}"


@dataclass
class Model:
    """A list of faces, in the order of their enrolment."""

    faces: list[Face] = field(default_factory=list)
    names: dict[UUID, str] = field(default_factory=dict)  # of those that were renamed

    def search(self, probe: Floats, count: int, distinct: bool) -> list[Hit]:
        hits: list[Hit] = []
        seen: set[UUID] = set()
        for face in sorted(self.faces, key=lambda face: -cosine(face, probe)):
            if not (distinct and face.subject_id in seen):
                seen.add(face.subject_id)
                called = self.names.get(face.subject_id, name(face))
                hits.append(Hit(face.face_id, called, cosine(face, probe)))
        return hits[:count]


def held(matrix: Matrix) -> list[tuple[UUID, str, bytes]]:
    """Every face of it, in no order."""
    found = []
    with matrix.at_once():
        for ids, subjects, rows in matrix.slices():
            for id_, subject, row in zip(ids, subjects, rows, strict=True):
                called = matrix.subjects.name_of(int(subject))
                found.append((UUID(bytes=id_.tobytes()), called, row.tobytes()))
    return found


def unit(seed: int) -> tuple[float, ...]:
    row = np.random.default_rng(seed).standard_normal(DIMENSION, np.float32)
    return tuple(float(each) for each in row / np.linalg.norm(row))


# Few that are as far apart from each other as any, so that there are ties, and many that are not.
vectors = st.one_of(st.integers(0, 3), st.integers(10, 10_000)).map(unit)
# Ids that end in zero bytes, too: NumPy's byte strings lose them.
ids = st.sampled_from([UUID(int=number << shift) for number in range(1, 6) for shift in (0, 64)])
steps = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(ids, vectors), min_size=1, max_size=70)),
    st.tuples(st.just("add"), st.lists(st.tuples(ids, vectors), min_size=40, max_size=70)),
    st.tuples(st.just("erase face"), st.integers(0, 80)),
    st.tuples(st.just("erase subject"), ids),
    st.tuples(st.just("rename"), ids),
    st.tuples(st.just("merge"), st.lists(ids, min_size=2, max_size=2, unique=True)),
    st.tuples(st.just("clear"), st.none()),
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few faces fill several, and are multiplied in several chunks."""
    monkeypatch.setattr(blocks, "FIRST", 4)
    monkeypatch.setattr(blocks, "LARGEST", 16)
    monkeypatch.setattr(product, "_CHUNK", 5 * DIMENSION)


def change(matrix: Matrix, model: Model, verb: str, what: object, lot: random.Random) -> None:
    """Does the same to both."""
    match verb, what:
        case "add", list() as faces:
            added = [Face(UUID(int=lot.getrandbits(128)), subject, vector) for subject, vector in faces]
            matrix.add(packed(added))
            model.faces += added
        case "erase face", int() as place:
            face = model.faces[place] if place < len(model.faces) else Face(uuid4(), uuid4(), ())
            matrix.erase_face(face.face_id)
            model.faces = [each for each in model.faces if each != face]
        case "erase subject", UUID() as subject:
            matrix.erase_subject(subject)
            model.faces = [each for each in model.faces if each.subject_id != subject]
        case "rename", UUID() as subject:
            matrix.rename(subject, "another")
            if any(face.subject_id == subject for face in model.faces):
                model.names[subject] = "another"
        case "merge", [UUID() as one, UUID() as other]:
            matrix.merge(one, other, "both")
            if any(face.subject_id == one for face in model.faces):
                model.names[other] = "both"
            model.faces = [
                face._replace(subject_id=other) if face.subject_id == one else face for face in model.faces
            ]
        case "clear", None:
            matrix.clear()
            model.faces = []
    # Of a subject without faces the matrix knows nothing, nor what it was called.
    model.names = {
        subject: called
        for subject, called in model.names.items()
        if any(face.subject_id == subject for face in model.faces)
    }


@settings(max_examples=80, deadline=None, database=None)
@given(
    history=st.lists(steps, max_size=10),
    probes=st.lists(vectors, min_size=1, max_size=20),
    count=st.integers(1, 12),
    distinct=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_finds_what_a_search_of_every_face_finds(
    history: list[tuple[str, object]],
    probes: list[tuple[float, ...]],
    count: int,
    distinct: bool,
    seed: int,
) -> None:
    matrix, model, lot = Matrix(), Model(), random.Random(seed)
    asked = np.array(probes, np.float32)
    for verb, what in history:
        change(matrix, model, verb, what, lot)
        assert len(matrix) == len(model.faces)
        assert matrix.search(asked, count, distinct=distinct) == [
            model.search(probe, count, distinct) for probe in asked
        ]
    expected = [
        (each.face_id, model.names.get(each.subject_id, name(each)), array(each).tobytes())
        for each in model.faces
    ]
    assert sorted(held(matrix)) == sorted(expected)
    assert len(matrix.subjects) == len({face.subject_id for face in model.faces})


@settings(max_examples=80, deadline=None, database=None)
@given(
    before=st.lists(steps, min_size=1, max_size=4),
    reading=st.lists(steps, max_size=3),
    read=st.lists(steps, max_size=3),
    probes=st.lists(vectors, min_size=1, max_size=5),
    count=st.integers(1, 12),
    distinct=st.booleans(),
)
def test_what_changes_while_rows_are_read_counts(
    before: list[tuple[str, object]],
    reading: list[tuple[str, object]],
    read: list[tuple[str, object]],
    probes: list[tuple[float, ...]],
    count: int,
    distinct: bool,
) -> None:
    """The answer is the matrix as it is when it is given, though most of it was read before."""
    matrix, model, lot = Matrix(), Model(), random.Random(1)
    for verb, what in before:
        change(matrix, model, verb, what, lot)
    best = scan.best
    phases = [reading, read]

    def best_meanwhile(arrays: list[Floats], asked: Floats, most: int) -> list[tuple[scan.Rows, Floats]]:
        for verb, what in phases.pop(0) if phases else []:
            change(matrix, model, verb, what, lot)
        found = best(arrays, asked, most)
        for verb, what in phases.pop(0) if phases else []:
            change(matrix, model, verb, what, lot)
        return found

    asked = np.array(probes, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "best", best_meanwhile)
        found = matrix.search(asked, count, distinct=distinct)
    assert found == [model.search(probe, count, distinct) for probe in asked]


def test_a_face_that_has_moved_meanwhile_is_found_where_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [Face(UUID(int=number), UUID(int=number), unit(number)) for number in range(10, 400)]
    likest = Face(UUID(int=1), UUID(int=1), unit(7))
    matrix, best = Matrix(), scan.best
    matrix.add(packed([*others, likest]))
    probe = np.array([likest.vector], np.float32)
    farthest = min(others, key=lambda face: cosine(face, probe[0]))

    def best_meanwhile(*what: Any) -> list[tuple[scan.Rows, Floats]]:
        found = best(*what)
        matrix.erase_face(farthest.face_id)  # the last row, which is the likest, takes its place
        return found

    monkeypatch.setattr(scan, "best", best_meanwhile)
    (hits,) = matrix.search(probe, 2, distinct=False)
    assert [hit.face_id for hit in hits] == [
        each.face_id for each in sorted([*others, likest], key=lambda face: -cosine(face, probe[0]))[:2]
    ]


def test_many_threads_search_what_others_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are answered, the matrix was so between the beginning and the end of their search."""
    lot = random.Random(3)
    subjects = [UUID(int=number) for number in range(1, 9)]

    def vector() -> tuple[float, ...]:
        return unit(lot.choice([*range(3), *range(10, 1000)]))

    matrix, model = Matrix(), Model()
    change(matrix, model, "add", [(lot.choice(subjects), vector()) for _ in range(500)], lot)
    probe = np.array([vector()], np.float32)
    moments = [Model(list(model.faces), dict(model.names))]
    seen: list[tuple[int, int, list[Hit]]] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            first = len(moments) - 1
            (hits,) = matrix.search(probe, 7, distinct=False)
            seen.append((first, len(moments), hits))

    looking = [threading.Thread(target=look) for _ in range(3)]
    for each in looking:
        each.start()
    for _ in range(150):
        verb = lot.choice(["add", "erase face", "erase face", "merge", "rename"])
        what = {
            "add": [(lot.choice(subjects), vector())],
            "erase face": lot.randrange(len(model.faces)),
            "merge": lot.sample(subjects, 2),
            "rename": lot.choice(subjects),
        }[verb]
        change(matrix, model, verb, what, lot)
        moments.append(Model(list(model.faces), dict(model.names)))
        time.sleep(0.001)  # or all changes are made before another thread gets its turn
    over.set()
    for each in looking:
        each.join()
    assert len({first for first, _, _ in seen}) > 5
    for first, last, hits in seen[:: max(1, len(seen) // 60)]:
        # While the last change is made, its moment has not been written down yet.
        assert hits in [moment.search(probe[0], 7, False) for moment in moments[first : last + 1]]


def face(number: int, subject: int = 1) -> Face:
    return Face(UUID(int=number), UUID(int=subject), (0.5, 0.5, 0.5, 0.5, 0.0, 0.0))


def filled(matrix: Matrix) -> int:
    """How many bytes of its blocks are not zero."""
    return sum(
        np.count_nonzero(block.embeddings) + len(block.ids) - block.ids.count(0)
        for block in matrix._blocks._blocks
    )


def test_what_is_erased_leaves_nothing_in_memory() -> None:
    matrix = Matrix()
    matrix.add(packed([face(number, 1 + number % 3) for number in range(1, 60)]))
    kept = matrix._blocks._blocks[:]
    for number in range(1, 30):
        matrix.erase_face(UUID(int=number))
    matrix.erase_subject(UUID(int=1))
    matrix.erase_subject(UUID(int=2))
    assert len(matrix) == len([number for number in range(30, 60) if number % 3 == 2])
    assert filled(matrix) == len(matrix) * 5  # four halves, and one byte of an id
    blocks_then = [block for block in kept if block not in matrix._blocks._blocks]
    assert not any(block.embeddings.any() or any(block.ids) for block in blocks_then)
    assert [each for each in matrix.subjects._names if each] == ["subject 3"]
    kept = matrix._blocks._blocks[:]
    matrix.clear()
    assert not any(block.embeddings.any() or any(block.ids) for block in kept)
    assert not len(matrix.subjects)


def test_rows_never_move_when_it_grows() -> None:
    matrix = Matrix()
    matrix.add(packed([face(1)]))
    first = matrix._blocks._blocks[0].embeddings
    matrix.add(packed([face(number) for number in range(2, 500)]))
    assert matrix._blocks._blocks[0].embeddings is first


def test_after_its_last_face_it_takes_embeddings_of_another_length() -> None:
    matrix = Matrix()
    matrix.add(packed([face(1)]))
    other = Faces(face(2).face_id.bytes * 2 + np.ones(1, "<f4").tobytes(), 1, {UUID(int=2): "Ann"})
    with pytest.raises(ValueError, match="embeddings of 1 numbers among 6"):
        matrix.add(other)
    matrix.erase_face(UUID(int=1))
    matrix.add(other)
    assert matrix.search(np.ones((1, 1), np.float32), 1, distinct=True) == [[Hit(UUID(int=2), "Ann", 1.0)]]


def test_of_many_equal_faces_the_first_enrolled_come_first() -> None:
    matrix = Matrix()
    matrix.add(packed([face(number, number) for number in range(1, 1000)]))
    matrix.erase_face(UUID(int=1))  # the last takes its place, and is no earlier for that
    (hits,) = matrix.search(np.array([face(1).vector], np.float32), 3, distinct=True)
    assert [hit.face_id.int for hit in hits] == [2, 3, 4]


def test_those_most_alike_are_found_among_many_probes_and_few() -> None:
    random_ = np.random.default_rng(0)
    rows = random_.standard_normal((5000, DIMENSION), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = Matrix()
    matrix.add(
        packed([Face(uuid4(), UUID(int=1 + number // 5), tuple(row)) for number, row in enumerate(rows)])
    )
    probes = rows[:37] + random_.normal(0, 0.1, (37, DIMENSION)).astype(np.float32)
    together = matrix.search(probes, 9, distinct=True)
    assert together == [matrix.search(probe[None], 9, distinct=True)[0] for probe in probes]
    for probe, hits in zip(probes, together, strict=True):
        exact = (rows.astype(np.float64) * probe).sum(1).reshape(-1, 5).max(1)
        assert [hit.cosine for hit in hits] == sorted(exact, reverse=True)[:9]
