"""What a gallery says of strangers."""

import numpy as np
import pytest

from classifier import evidence as module
from classifier.evidence import evidence
from classifier.matrix import Matrix
from classifier.tails import comparisons
from tests.classifier.people import filled, rows


def test_everybody_is_compared_with_all_but_themselves() -> None:
    faces, names = rows(60), np.arange(60) % 20
    seen = evidence(filled(faces, names))
    assert seen
    cosines = np.where(names[:, None] == names, -1, faces @ faces.T)
    assert np.sort(seen.largest) == pytest.approx(np.sort(cosines.max(1)), abs=1e-6)
    assert seen.comparisons == comparisons(20, 60)


def test_of_a_large_gallery_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 3000)
    monkeypatch.setattr(module, "PLAYERS", 500)
    # More rows than a block of the matrix has.
    matrix = filled(rows(5000), np.arange(5000) // 2)
    seen, again = evidence(matrix), evidence(matrix)
    assert seen
    assert again
    assert len(seen.largest) == 500
    # Of 5 faces 2 are left out, and both of a person in 4 of 25 cases.
    assert seen.comparisons == pytest.approx(comparisons(2100, 3000), rel=0.03)
    assert (seen.largest == again.largest).all()


def test_a_face_of_everybody_comes_before_a_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLAYERS", 20)
    # One person has most of the faces, all of them far from everybody else's.
    names = np.array([*range(20), *[19] * 200])
    faces = rows(220)
    faces[19:] *= -1
    seen = evidence(filled(faces, names))
    assert seen
    assert (seen.largest > 0).sum() == 19


def test_a_gallery_that_has_been_emptied_says_nothing() -> None:
    assert evidence(Matrix()) is None
    assert evidence(filled(rows(9), range(9))) is None
