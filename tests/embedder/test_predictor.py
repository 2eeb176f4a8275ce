"""The points that faces are aligned by: dlib's own, wherever a detector's landmarks bring us."""

from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest

from embedder.aligner import Aligner
from embedder.conversion import dlib_shapes
from embedder.detector import Detector, Pixels
from embedder.fetching.archives import place
from embedder.fetching.cache import default_cache
from embedder.networks import Networks
from embedder.orientation import Orientation
from embedder.pack import Pack
from embedder.predictor import FACES, Predictor
from tests.photographs import photograph


@pytest.fixture(scope="module")
def published(pack: Pack, networks: dict[str, Path]) -> Path:
    """dlib's own file."""
    network = pack.networks["predictor"]
    return place(network.archive, network.member, default_cache())


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    names = ("obama", "obama2", "obama3", "biden", "obama_partial_face")
    files = (cv2.imread(str(photograph(name))) for name in names)
    return [cv2.cvtColor(file, cv2.COLOR_BGR2RGB) for file in files]  # type: ignore[misc]


def test_points_are_where_dlib_places_them(
    published: Path, networks: dict[str, Path], pictures: list[Pixels]
) -> None:
    peer, predictor = dlib.shape_predictor(str(published)), Predictor(networks["predictor"])
    find, faces = dlib.get_frontal_face_detector(), 0
    for pixels in pictures:
        for box in find(pixels, 1):
            expected = [(point.x, point.y) for point in peer(pixels, box).parts()]
            width, height = box.right() - box.left(), box.bottom() - box.top()
            frame = np.array([[width, 0, box.left()], [0, height, box.top()]], np.float64)
            # dlib rounds to whole pixels, and sums up in another order.
            assert np.abs(predictor.place(pixels, frame) - expected).max() < 1.6
            faces += 1
    assert faces >= len(pictures) - 1


def test_a_face_is_aligned_alike_however_it_is_turned(
    loaded: Networks, yunet: Detector, pictures: list[Pixels]
) -> None:
    assert loaded.aligner
    pixels = pictures[0]
    (face,) = yunet.find(pixels, 0.8).landmarks
    expected = loaded.aligner.points(pixels, face[None])[0]
    centre = tuple(float(each) for each in face.mean(0))
    for degrees in (-40, -20, 20, 40):
        turn = cv2.getRotationMatrix2D(centre, degrees, 1.0)
        turned: Pixels = cv2.warpAffine(pixels, turn, pixels.shape[1::-1])  # type: ignore[assignment]
        found = yunet.find(turned, 0.6).landmarks[0]
        points = loaded.aligner.points(turned, found[None])[0]
        eyes = np.linalg.norm(face[1] - face[0])
        assert np.abs(points - (expected @ turn[:, :2].T + turn[:, 2])).max() < 0.05 * eyes


def test_a_face_over_the_edge_and_one_far_outside_have_points_all_the_same(
    loaded: Networks, pack: Pack, pictures: list[Pixels]
) -> None:
    assert loaded.aligner
    assert pack.aligning
    for shift in (-60, 0, 10_000):
        landmarks = (pack.aligning.template + shift).astype(np.float32)
        points = loaded.aligner.points(pictures[0], landmarks[None])
        assert points.shape == (1, 5, 2)
        assert np.isfinite(points).all()
    assert loaded.aligner.points(pictures[0], np.empty((0, 5, 2), np.float32)).shape == (0, 5, 2)


@pytest.mark.parametrize("faces", [1, 6, 2 * FACES + 1])
def test_faces_together_have_the_points_that_each_has_alone(
    loaded: Networks, yunet: Detector, pictures: list[Pixels], faces: int
) -> None:
    assert loaded.aligner
    (face,) = yunet.find(pictures[0], 0.8).landmarks
    shifts = np.random.default_rng(0).normal(0, 30, (faces, 1, 2))
    shifts[0] = -1000  # one outside, which must not matter to the others
    landmarks = (face + shifts).astype(np.float32)
    alone = [loaded.aligner.points(pictures[0], each[None])[0] for each in landmarks]
    assert np.abs(loaded.aligner.points(pictures[0], landmarks) - alone).max() < 1e-3


@pytest.mark.parametrize("tag", range(1, 9))
def test_an_upright_view_has_the_points_of_its_pixels(
    loaded: Networks, yunet: Detector, pictures: list[Pixels], tag: int
) -> None:
    assert loaded.aligner
    upright = pictures[0]
    landmarks = yunet.find(upright, 0.8).landmarks
    orientation = Orientation.of_tag(tag)
    view = orientation.upright(np.ascontiguousarray(orientation.lying(upright)))
    expected = loaded.aligner.points(upright, landmarks)
    assert np.array_equal(loaded.aligner.points(view, landmarks), expected)
    frame = np.pad(upright, ((7, 5), (3, 9), (0, 0)))[7:-5, 3:-9]  # of a larger image
    assert np.array_equal(loaded.aligner.points(frame, landmarks), expected)


def test_what_is_no_predictor_is_refused(published: Path, tmp_path: Path) -> None:
    data = published.read_bytes()
    for damaged in (data[:-1], data + b"x", b"\x01\x02" + data[2:]):
        with pytest.raises(ValueError, match=r"left over|ends early|was expected"):
            dlib_shapes.read(damaged)


def test_an_aligner_needs_no_more_than_its_file(networks: dict[str, Path], pack: Pack) -> None:
    assert pack.aligning
    assert networks["predictor"].suffix == ".npz"
    assert Aligner(networks["predictor"], pack.aligning)
