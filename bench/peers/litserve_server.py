"""The recogniser, the file that NETWORK names, served by LitServe: python litserve_server.py PORT

With LitServe's dynamic batching, and a face as base64 in JSON, as its examples have it.
"""

import base64
import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import litserve
import numpy as np
import onnxruntime


class Recogniser(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["NETWORK"], options, providers=["CPUExecutionProvider"]
        )

    def decode_request(self, request: dict) -> np.ndarray:
        return np.frombuffer(base64.b64decode(request["chip"]), np.uint8).reshape(150, 150, 3)

    def batch(self, inputs: list) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, chips: np.ndarray) -> np.ndarray:
        return self._session.run(None, {self._session.get_inputs()[0].name: chips})[0]

    def unbatch(self, output: np.ndarray) -> list:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict:
        return {"embedding": output.tolist()}


if __name__ == "__main__":
    api = Recogniser(max_batch_size=8, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=len(os.sched_getaffinity(0)))
    server.run(port=int(sys.argv[1]), host="127.0.0.1", log_level="warning", generate_client_file=False)
