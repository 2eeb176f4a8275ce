"""The processor that runs the networks: the CPU or one GPU. Several GPUs are several embedders."""

import re
from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

from embedder.cuda import missing
from embedder.runtime import onnxruntime

CPU_ONLY = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
INSTEAD = "EMBEDDER_DEVICE=cpu does without"


class DeviceUnusable(Exception):
    """The networks cannot run where they should. The message says in a line what is missing."""


class Device(NamedTuple):
    """Where networks run."""

    gpu: int | None = None  # its number; None: the CPU

    @property
    def providers(self) -> list[str | tuple[str, dict[str, str]]]:
        """What ONNX Runtime is asked for. Nothing else may take over: that would be slow, and silent."""
        if self.gpu is None:
            return [CPU_ONLY]
        # Detectors meet new sizes of images all day, and an exhaustive search takes seconds for each.
        options = {"device_id": str(self.gpu), "cudnn_conv_algo_search": "HEURISTIC"}
        return [(CUDA, options), CPU_ONLY]  # for the few layers that have no business on a GPU

    @property
    def batches(self) -> tuple[int, ...]:
        """The sizes that batches come in, the largest last; a CPU takes any size up to it.

        A GPU looks for a way through each layer for every new size. On a CPU larger batches bring no more.
        """
        return (16,) if self.gpu is None else (1, 2, 4, 8, 16, 32, 64)

    def __str__(self) -> str:
        return "cpu" if self.gpu is None else f"cuda:{self.gpu}"


CPU = Device()


def choose(wanted: str | None) -> Device:
    """The device named "cpu", "cuda" or "cuda:1"; for None a GPU if this onnxruntime is built for one.

    Raises DeviceUnusable.
    """
    _refuse_two_builds()
    built_for_gpus = CUDA in onnxruntime.get_available_providers()
    if wanted is None:
        wanted = "cuda" if built_for_gpus else "cpu"
    if wanted == "cpu":
        return CPU
    named = re.fullmatch(r"cuda(?::(\d+))?", wanted)
    if not named:
        raise DeviceUnusable(f"EMBEDDER_DEVICE={wanted!r}: there are cpu, cuda, and cuda:1 and so on")
    if not built_for_gpus:
        raise DeviceUnusable(
            "onnxruntime is built for the CPU alone: install mien[server,gpu] in an environment without it;"
            f" {INSTEAD}"
        )
    if trouble := missing():
        raise DeviceUnusable(f"the GPU cannot be used: {trouble}; {INSTEAD}")
    return Device(int(named[1] or 0))


def require(device: Device, providers: Sequence[str]) -> None:
    """Raises DeviceUnusable if a session got other providers than its device needs."""
    if device.gpu is not None and CUDA not in providers:
        raise DeviceUnusable(f"{device} cannot be used: `nvidia-smi -L` lists what GPUs there are; {INSTEAD}")


def _refuse_two_builds() -> None:
    installed = {each.name for each in metadata.distributions()} & {"onnxruntime", "onnxruntime-gpu"}
    if len(installed) == 2:
        raise DeviceUnusable(
            "onnxruntime and onnxruntime-gpu are both installed, one over the other: uninstall both, then"
            " install the one you want"
        )
