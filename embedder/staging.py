"""Runs a network on buffers that are made once: what a GPU needs to be fed quickly."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embedder.cuda import pin
from embedder.device import Device
from embedder.runtime import onnxruntime

LANES = 8  # kept by a thread: the shapes that it met last


class Staging:
    """Feeds a session. Each thread has buffers of its own, so that several batches are in flight at once."""

    def __init__(
        self,
        session: "onnxruntime.InferenceSession",
        outputs: Sequence[str],
        device: Device,
        batches: Sequence[int],
    ) -> None:
        self._session = session
        self._outputs = outputs
        self._device = device
        self._batches = batches
        self._local = threading.local()

    def run(self, images: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        """The outputs of a batch of n images, n at most the largest of the batches.

        It is filled up to one of their sizes, with copies of its last image.
        """
        count = len(images)
        size = next(each for each in self._batches if each >= count)
        lane = self._lane((size, *images.shape[1:]), images.dtype)
        lane.host[:count] = images
        lane.host[count:] = images[-1:]
        lane.device.update_inplace(lane.host)
        self._session.run_with_iobinding(lane.binding)
        return [each[:count] for each in lane.binding.copy_outputs_to_cpu()]

    def _lane(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> "_Lane":
        lanes: OrderedDict[tuple[int, ...], _Lane] = self._local.__dict__.setdefault("lanes", OrderedDict())
        if shape not in lanes:
            if len(lanes) == LANES:
                lanes.popitem(last=False)
            lanes[shape] = _Lane(self._session, self._outputs, shape, dtype, self._device)
        lanes.move_to_end(shape)
        return lanes[shape]


class _Lane:
    """The buffers of one shape of a batch: on the host, pinned if CUDA is there, and on the device."""

    def __init__(
        self,
        session: "onnxruntime.InferenceSession",
        outputs: Sequence[str],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        device: Device,
    ) -> None:
        kind, number = ("cpu", 0) if device.gpu is None else ("cuda", device.gpu)
        self.host = np.zeros(shape, dtype)
        if device.gpu is not None:
            pin(self.host)
        self.device = onnxruntime.OrtValue.ortvalue_from_numpy(self.host.copy(), kind, number)
        self.binding = session.io_binding()
        self.binding.bind_ortvalue_input(session.get_inputs()[0].name, self.device)
        for output in outputs:
            self.binding.bind_output(output, kind, number)
