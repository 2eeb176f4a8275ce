"""Ports of the processes of a mesh."""

import socket

import pytest

from mien.launcher.mesh import MeshError, free_ports, require_free


def test_no_two_processes_get_one_port() -> None:
    """Asked for one by one, about one mesh in a thousand got the same port twice."""
    assert len(set(free_ports(500))) == 500


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_where_somebody_listens_is_refused(host: str) -> None:
    with socket.create_server((host, 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MeshError, match=f"port {port} .*--port"):
            require_free(port)
    require_free(port)
