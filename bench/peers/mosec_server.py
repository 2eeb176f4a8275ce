"""The recogniser, the file that NETWORK names, served by mosec: python mosec_server.py --port PORT

With mosec's dynamic batching; a face is the raw bytes of its pixels, the answer those of its embedding.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from mosec import Server, Worker


class Recogniser(Worker):
    def __init__(self) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["NETWORK"], options, providers=["CPUExecutionProvider"]
        )

    def deserialize(self, data: bytes) -> np.ndarray:
        return np.frombuffer(data, np.uint8).reshape(150, 150, 3)

    def serialize(self, data: np.ndarray) -> bytes:
        return data.tobytes()

    def forward(self, data: list) -> list:
        return list(self._session.run(None, {self._session.get_inputs()[0].name: np.stack(data)})[0])


if __name__ == "__main__":
    server = Server()
    server.append_worker(Recogniser, num=len(os.sched_getaffinity(0)), max_batch_size=8, max_wait_time=1)
    server.run()
