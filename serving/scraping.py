"""Where a process serves what it has counted: over HTTP, on an address of its own, for Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server


@contextmanager
def scraped(registry: CollectorRegistry, address: str | None) -> Iterator[None]:
    """Serves /metrics on `address`, HOST:PORT, inside the block; with None nothing is served.

    A port that is taken is an OSError.
    """
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except (OSError, ValueError, OverflowError) as error:
        raise OSError(f"cannot serve metrics on {address}: is it HOST:PORT, and is the port free?") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
