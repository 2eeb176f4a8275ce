"""Networks that believe something of a face, such as its age."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from embedder.detector import Floats, Pixels
from embedder.device import CPU, Device
from embedder.pack import Attribute
from embedder.session import Session

Out = TypeVar("Out")


class AttributeNetwork(Generic[Out]):
    """May be used from several threads at once. `read` makes sense of what it believes of one face."""

    def __init__(
        self, path: Path, takes: Attribute, read: Callable[[Floats], Out], device: Device = CPU
    ) -> None:
        self._session = Session(path, device=device)
        self._takes = takes
        self._read = read

    def look(self, chips: Sequence[Pixels]) -> list[Out]:
        """What each of n chips shows; they are (size, size, 3) uint8 RGB, of the size it takes."""
        (beliefs,) = self._session.run(np.stack(chips) if self._takes.takes_bytes else self._blob(chips))
        return [self._read(belief) for belief in beliefs]

    def _blob(self, chips: Sequence[Pixels]) -> npt.NDArray[np.generic]:
        return cv2.dnn.blobFromImages(chips, 1 / self._takes.deviation, mean=self._takes.mean)
