"""ONNX Runtime alone, in a process of its own: python -m bench.raw NETWORK SESSIONS THREADS BATCH SECONDS"""

import json
import os
import sys
import threading
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime


def main(network: str, sessions: int, threads: int, batch: int, seconds: float) -> None:
    """Prints faces a second, and seconds of CPU for a face, of so many sessions at once."""
    chips = np.random.default_rng(0).integers(0, 256, (batch, 150, 150, 3), np.uint8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    opened = [
        onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        for _ in range(sessions)
    ]
    for session in opened:
        session.run(None, {session.get_inputs()[0].name: chips})
    counts = [0] * sessions
    began, worked = time.perf_counter(), time.process_time()

    def go_on(number: int) -> None:
        name = opened[number].get_inputs()[0].name
        while time.perf_counter() - began < seconds:
            opened[number].run(None, {name: chips})
            counts[number] += batch

    running = [threading.Thread(target=go_on, args=(number,)) for number in range(sessions)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    took = time.perf_counter() - began
    print(json.dumps({"rate": sum(counts) / took, "cpu": (time.process_time() - worked) / sum(counts)}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:5]), float(sys.argv[5]))  # type: ignore[call-arg]
