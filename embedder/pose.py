"""Where a face is turned, from its five landmarks."""

from typing import NamedTuple

import cv2
import numpy as np

from embedder.detector import Floats

# The landmarks on a face that looks straight into the camera, in millimetres from the tip of the nose:
# x to the right of the image, y down, z away from the camera. Fitted so that such faces come out level.
FACE = np.array([[-30.5, -35, 28], [30.5, -35, 28], [0, 0, 0], [-26.6, 25.5, 22], [26.6, 25.5, 22]])


class Pose(NamedTuple):
    """Degrees, as mien.v1.Pose says: the head is rolled, then pitched, then turned by the yaw."""

    pitch: float
    yaw: float
    roll: float


def to_pose(landmarks: Floats, width: int, height: int) -> Pose | None:
    """The pose of a face with these landmarks, (5, 2), in an image of this size, all in the same pixels.

    None if no face can have them. The camera is taken for one whose focal length is the image's longer
    side, which is about right for what was not cropped.
    """
    focal = max(width, height)
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], np.float64)
    points = landmarks.astype(np.float64)
    try:
        found, turn, shift = cv2.solvePnP(FACE, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
        found, turn, shift = cv2.solvePnP(
            FACE, points, camera, None, turn, shift, useExtrinsicGuess=True, flags=cv2.SOLVEPNP_ITERATIVE
        )
    except cv2.error:  # points that fall into one
        return None
    if not found or shift[2, 0] <= 0:  # behind the camera
        return None
    matrix, _ = cv2.Rodrigues(turn)
    pitch = np.arcsin(np.clip(-matrix[1, 2], -1, 1))
    yaw = np.arctan2(matrix[0, 2], matrix[2, 2])
    roll = np.arctan2(matrix[1, 0], matrix[1, 1])
    return Pose(*np.degrees([pitch, yaw, roll]).tolist())
