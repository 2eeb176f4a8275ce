"""What ONNX Runtime needs of NVIDIA's software: whether it is there, and what of it we call ourselves."""

import ctypes
import re
import weakref
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy.typing as npt

from embedder.runtime import onnxruntime

DRIVER = "libcuda.so.1"
RUNTIMES = ("libcudart.so.13", "libcudart.so.12")


def missing() -> str | None:
    """What of the driver, CUDA and cuDNN this machine lacks for ONNX Runtime, in a few words."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return f"the NVIDIA driver is missing ({DRIVER})"
    with redirect_stdout(None):  # it tells of what is missing in several lines, and we in one
        onnxruntime.preload_dlls()  # CUDA and cuDNN that came as packages
    try:
        ctypes.CDLL(str(Path(onnxruntime.__file__).parent / "capi/libonnxruntime_providers_cuda.so"))
    except OSError as error:
        return told(str(error))
    return None


def told(error: str) -> str | None:
    """The same, of what the dynamic loader says."""
    lacks = re.match(r"(lib\w+\.so[.\d]*): cannot open shared object file", error)
    if lacks is None:
        return None  # it lacks a symbol of a library that ONNX Runtime itself brings
    name = lacks[1]
    part = "cuDNN" if name.startswith("libcudnn") else "CUDA"
    return f"{part} is missing ({name}): pip install 'onnxruntime-gpu[cuda,cudnn]' brings it"


def pin(array: npt.NDArray[Any]) -> bool:
    """Locks an array's memory in place for as long as it lives; a GPU fetches from there by itself.

    Whether that was possible: it is slower otherwise, and nothing else.
    """
    runtime = _runtime()
    if runtime is None:
        return False
    place = ctypes.c_void_p(array.ctypes.data)
    if runtime.cudaHostRegister(place, ctypes.c_size_t(array.nbytes), 0) != 0:
        return False
    weakref.finalize(array, runtime.cudaHostUnregister, place)
    return True


def _runtime() -> Any:
    """CUDA's runtime, which ONNX Runtime has loaded already."""
    for name in RUNTIMES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
