"""Poses, of projected points and of photographs."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from embedder.detector import Detector, Floats
from embedder.pose import FACE, Pose, to_pose
from tests.photographs import photograph

WIDTH, HEIGHT = 800, 600


def turned(pitch: float, yaw: float, roll: float) -> npt.NDArray[np.float64]:
    """The rotation of a head that is first rolled, then pitched, then turned, in degrees."""
    x, y, z = (
        cv2.Rodrigues(np.eye(3)[axis] * np.radians(by))[0] for axis, by in enumerate((pitch, yaw, roll))
    )
    return y @ x @ z


def projected(rotation: npt.NDArray[np.float64], x: float = 0, y: float = 0, away: float = 900) -> Floats:
    points = FACE @ rotation.T + [x, y, away]
    return (points[:, :2] / points[:, 2:] * WIDTH + [WIDTH / 2, HEIGHT / 2]).astype(np.float32)


angles = st.floats(-50, 50)


@given(angles, angles, st.floats(-170, 170), st.floats(-150, 150), st.floats(-100, 100), st.floats(500, 3000))
def test_a_pose_is_found_back(pitch: float, yaw: float, roll: float, x: float, y: float, away: float) -> None:
    found = to_pose(projected(turned(pitch, yaw, roll), x, y, away), WIDTH, HEIGHT)
    assert found
    assert np.allclose(found, (pitch, yaw, roll), atol=0.5)


def test_signs_are_those_of_the_contract() -> None:
    looks = np.array([0, 0, -1.0])  # into the camera: y is down, x to the right of the image
    assert (turned(20, 0, 0) @ looks)[1] > 0  # down
    assert (turned(0, 20, 0) @ looks)[0] < 0  # to the left
    left, right, *_ = projected(turned(0, 0, 20))
    assert right[1] > left[1]
    assert to_pose(projected(np.eye(3)), WIDTH, HEIGHT) == pytest.approx((0, 0, 0), abs=0.1)


def seen(detector: Detector, image: Image.Image) -> Pose:
    (landmarks,) = detector.find(np.asarray(image), 0.5).landmarks
    pose = to_pose(landmarks, *image.size)
    assert pose
    return pose


@pytest.mark.parametrize("name", ["obama", "obama2", "obama3", "biden"])
def test_poses_of_photographs_follow_what_is_done_to_them(centerface: Detector, name: str) -> None:
    with Image.open(photograph(name)) as file:
        image = file.convert("RGB")
    pose = seen(centerface, image)
    if name == "obama2":  # looks past the photographer, to the left of the image
        assert 15 < pose.yaw < 35
    if name == "obama":
        assert np.abs(pose).max() < 8
    mirrored = seen(centerface, ImageOps.mirror(image))
    assert np.allclose(mirrored, (pose.pitch, -pose.yaw, -pose.roll), atol=10)
    for clockwise in (20, -20):
        tilted = seen(centerface, image.rotate(-clockwise, expand=True))
        assert tilted.roll == pytest.approx(pose.roll + clockwise, abs=8)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 300.0),
        np.full((5, 2), np.nan),
        np.full((5, 2), np.inf),
    ],
)
def test_points_that_are_no_face_have_no_pose(landmarks: npt.NDArray[np.float64]) -> None:
    assert to_pose(landmarks.astype(np.float32), WIDTH, HEIGHT) is None


@given(st.lists(st.tuples(*[st.floats(-1000, 2000, width=32)] * 2), min_size=5, max_size=5))
def test_whatever_the_points_a_pose_is_of_numbers(points: list[tuple[float, float]]) -> None:
    pose = to_pose(np.array(points, np.float32), WIDTH, HEIGHT)
    assert pose is None or (np.isfinite(pose).all() and np.abs(pose).max() <= 180)
