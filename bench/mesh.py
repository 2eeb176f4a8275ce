"""A mesh as `mien up` runs it, for as long as a measurement takes."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

MIEN = [sys.executable, "-m", "mien"]


class Running(NamedTuple):
    address: str  # of REST and gRPC
    embedder: str  # address of the embedder itself
    data: str  # the folder of its data
    key: str  # of an empty gallery

    def new_key(self, kind: str) -> str:
        """The key of a new service of this type."""
        return _create_service(f"bench {kind}", kind, self.data)


@contextmanager
def running() -> Iterator[Running]:
    """One embedder and one classifier behind Envoy, as a user starts them."""
    with TemporaryDirectory(prefix="mien-bench-", ignore_cleanup_errors=True) as data:
        command = [*MIEN, "up", "--port", "0", "--data", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                for line in process.stdout:
                    if said := re.search(r"mien is ready: http://(\S+)", line):
                        break
                else:
                    raise SystemExit("the mesh did not start; `mien up` says why")
                # The log must be read on, or the mesh waits for room in the pipe.
                threading.Thread(target=process.stdout.read, daemon=True).start()
                ports = json.loads((Path(data) / "mesh.json").read_text())["ports"]
                key = _create_service("bench", "recognition", data)
                yield Running(said[1], f"127.0.0.1:{ports['embedder-1']}", data, key)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(15)


def _create_service(name: str, kind: str, data: str) -> str:
    command = [*MIEN, "services", "create", name, "--type", kind, "--data", data]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
