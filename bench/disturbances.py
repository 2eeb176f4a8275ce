"""What may happen to a photograph before it reaches us, done to chips of faces."""

from collections.abc import Callable

import cv2
import numpy as np

from embedder.detector import Pixels


def _shown(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _noisy(chip: Pixels) -> Pixels:
    random = np.random.default_rng(int(chip.sum()))  # the same for the same chip
    return _shown(chip + random.normal(0, 15, chip.shape))


def _small(chip: Pixels, side: int) -> Pixels:
    shrunk = cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, chip.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _moved(chip: Pixels, degrees: float, right: float, down: float) -> Pixels:
    rows, columns = chip.shape[:2]
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1)
    matrix[:, 2] += right, down
    return cv2.warpAffine(chip, matrix, (columns, rows))


def _compressed(chip: Pixels) -> Pixels:
    _, file = cv2.imencode(".jpg", chip, [cv2.IMWRITE_JPEG_QUALITY, 15])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)


DISTURBANCES: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda chip: chip,
    "mirrored": lambda chip: np.ascontiguousarray(chip[:, ::-1]),
    "dark (x 0.3)": lambda chip: _shown(0.3 * chip),
    "nearly black (x 0.12)": lambda chip: _shown(0.12 * chip),
    "glaring (x 1.6 + 20)": lambda chip: _shown(1.6 * chip + 20),
    "grey": lambda chip: np.repeat(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
    "noisy": _noisy,
    "blurred": lambda chip: cv2.GaussianBlur(chip, (0, 0), 3),
    "48 pixels wide": lambda chip: _small(chip, 48),
    "24 pixels wide": lambda chip: _small(chip, 24),
    "turned by 15": lambda chip: _moved(chip, 15, 0, 0),
    "turned by -30": lambda chip: _moved(chip, -30, 0, 0),
    "cut by an edge": lambda chip: _moved(chip, 0, 45, 30),
    "JPEG of quality 15": _compressed,
}
