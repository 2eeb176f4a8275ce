"""How a network is run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedder.device import CPU, Device, require
from embedder.runtime import onnxruntime
from embedder.staging import Staging

ERROR = 3  # of ONNX Runtime's levels: it warns of harmless things in networks


class Session:
    """A network in ONNX Runtime. May be run from several threads at once, each run on its own thread."""

    def __init__(self, path: Path, outputs: Sequence[str] | None = None, device: Device = CPU) -> None:
        """Opens it. Raises DeviceUnusable."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # concurrent runs fill the cores, and do not wait for each other
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = ERROR
        # Nothing takes the device's place by itself when it fails, now or in a later run.
        self._session = onnxruntime.InferenceSession(
            path, options, providers=device.providers, enable_fallback=0
        )
        require(device, self._session.get_providers())
        self._input = self._session.get_inputs()[0].name
        self._outputs = list(outputs or [each.name for each in self._session.get_outputs()])
        self._staging = (
            None if device == CPU else Staging(self._session, self._outputs, device, device.batches)
        )

    def run(self, images: npt.NDArray[np.generic]) -> list[npt.NDArray[np.float32]]:
        """The named outputs, or all in the network's order, for a batch as the network takes it.

        It has at most so many images as the largest of the device's batches.
        """
        if self._staging:
            return self._staging.run(images)
        answers: list[npt.NDArray[np.float32]] = self._session.run(self._outputs, {self._input: images})
        return answers
