"""How a network is run."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

# Else it reports to its makers what runs here. It looks at this once, when it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

# The first of these that this machine has runs a network. The installed onnxruntime decides: its GPU
# build is another distribution.
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")

ERROR = 3  # of ONNX Runtime's levels: it warns of harmless things in networks


class Session:
    """A network in ONNX Runtime. May be run from several threads at once, each run on its own thread."""

    def __init__(self, path: Path, outputs: Sequence[str] | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # concurrent runs fill the cores, and do not wait for each other
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = ERROR
        available = onnxruntime.get_available_providers()
        providers = [provider for provider in PROVIDERS if provider in available]
        self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        self._input = self._session.get_inputs()[0].name
        self._outputs = outputs and list(outputs)

    @property
    def on_cpu(self) -> bool:
        return bool(self._session.get_providers()[0] == "CPUExecutionProvider")

    def run(self, images: npt.NDArray[np.generic]) -> list[npt.NDArray[np.float32]]:
        """The named outputs, or all in the network's order, for a batch as the network takes it."""
        answers: list[npt.NDArray[np.float32]] = self._session.run(self._outputs, {self._input: images})
        return answers
