"""Envoy's configuration, judged by the real Envoy, placed as each of its users places it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api import annotations_pb2

from mien.launcher import gateway
from mien.launcher.certificate import self_made
from mien.launcher.gateway import DEFAULT, Address, Places, Terms
from mien.rest.v1 import compreface_pb2
from serving.limits import MAX_REQUEST, largest_body, largest_message

ENVOY = Path(__file__).parents[2] / "envoy"

LAUNCHER = Places(
    public=Address("127.0.0.1", 8000),
    secure=Address("127.0.0.1", 8443),
    internal=Address("127.0.0.1", 8001),
    admin=Address("127.0.0.1", 9901),
    classifiers=[Address("127.0.0.1", 50052), Address("127.0.0.1", 50053)],
    embedders=[Address("127.0.0.1", 50051)],
    admins=[Address("127.0.0.1", 50054)],
)
COMPOSE = LAUNCHER._replace(
    public=Address("0.0.0.0", 8000),
    secure=Address("0.0.0.0", 8443),
    internal=Address("0.0.0.0", 8001),
    classifiers=[Address("classifier", 50052)],
    embedders=[Address("embedder", 50051)],
    admins=[Address("admin", 50053)],
)


def configuration(places: Places, terms: Terms = DEFAULT) -> dict[str, Any]:
    return gateway.configuration(places, terms, Path("certificate.json"))


def validated(config: Path) -> "subprocess.CompletedProcess[str]":
    command = [*gateway.command(config), "--mode", "validate"]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("places", [LAUNCHER, COMPOSE], ids=["mien up", "compose"])
def test_envoy_takes_the_configuration(places: Places, tmp_path: Path) -> None:
    gateway.write(places, self_made(tmp_path), tmp_path / "envoy.json")
    judged = validated(tmp_path / "envoy.json")
    assert judged.returncode == 0, judged.stderr
    assert "deprecated" not in judged.stderr


def test_envoy_does_not_take_just_anything(tmp_path: Path) -> None:
    config = configuration(LAUNCHER)
    config["static_resources"]["clusters"][0]["lb_polcy"] = "LEAST_REQUEST"
    (tmp_path / "envoy.json").write_text(json.dumps(config))
    assert validated(tmp_path / "envoy.json").returncode != 0


def test_as_it_stands_it_is_composes() -> None:
    told = yaml.safe_load((ENVOY / "envoy.yaml").read_text())
    placed = configuration(COMPOSE)
    assert told["admin"] == placed["admin"]
    for each in ("listeners", "clusters"):
        for written, put in zip(
            told["static_resources"][each], placed["static_resources"][each], strict=True
        ):
            for place in ("address", "load_assignment"):
                assert written.get(place) == put.get(place)


def test_no_path_of_a_container_is_left() -> None:
    assert "/etc/mien" not in json.dumps(configuration(LAUNCHER))


def test_the_size_of_requests_is_one_for_the_transcoder_and_for_what_lies_behind() -> None:
    config = json.dumps(configuration(LAUNCHER, Terms(max_request=100 << 20)))
    for what in ("max_request_body_size", "max_request_bytes"):
        assert f'"{what}": 146800640' in config
    assert '"start": 146800641' in config
    assert '"max_heap_size_bytes": 7147094016' in config
    assert config.count('"per_connection_buffer_limit_bytes": 148897792') == 3
    as_it_stands = yaml.safe_load((ENVOY / "envoy.yaml").read_text())
    assert str(largest_body(MAX_REQUEST)) in json.dumps(as_it_stands)
    assert str(largest_message(MAX_REQUEST)) in json.dumps(as_it_stands)


def test_a_wrong_method_is_told_of_at_every_path_of_compreface_and_nowhere_else() -> None:
    (known,) = set(re.findall(r'"regex": "(/api[^"]*docs[^"]*)"}', json.dumps(configuration(LAUNCHER))))
    expression = re.compile(json.loads(f'"{known}"'))
    paths = {
        getattr(rule, rule.WhichOneof("pattern"))
        for method in compreface_pb2.DESCRIPTOR.services_by_name["CompreFaceService"].methods
        for rule in [method.GetOptions().Extensions[annotations_pb2.http]]
    }
    assert len(paths) >= 20
    for path in paths - {"/core/status"}:  # it is not CompreFace's API
        for end in ("", "/", "?a=b", "/?a=b"):
            assert expression.fullmatch(re.sub("{.*?}", "a%2Fb", path) + end), path
    for path in ("/api/v1", "/api/v1/nothing", "/api/v1/recognition/faces/1/2", "/v1/faces", "/"):
        assert not expression.fullmatch(path)


def test_every_endpoint_is_listed() -> None:
    clusters = configuration(LAUNCHER)["static_resources"]["clusters"]
    ports = {
        cluster["name"]: [
            endpoint["endpoint"]["address"]["socket_address"]["port_value"]
            for endpoint in cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        ]
        for cluster in clusters
    }
    assert ports == {"classifier": [50052, 50053], "embedder": [50051], "admin": [50054]}


def test_nothing_is_logged_of_a_request() -> None:
    assert "access_log" not in json.dumps(configuration(LAUNCHER))


def test_only_embedders_are_asked_again_once_they_were_reached() -> None:
    """They keep no state. A classifier may have written before its answer was lost."""
    unsent = {"connect-failure", "refused-stream"}
    for listener in configuration(LAUNCHER)["static_resources"]["listeners"]:
        for route in (each for each in routes(listener) if "route" in each):
            again = set(route["route"]["retry_policy"]["retry_on"].split(","))
            if route["route"]["cluster"] in ("classifier", "admin"):
                assert again == unsent
            else:
                assert again > unsent | {"reset", "unavailable"}


def test_a_stream_has_no_time_limit_but_its_caller_s() -> None:
    for listener in configuration(LAUNCHER)["static_resources"]["listeners"][:2]:
        too_large, streams, *others = routes(listener)
        assert too_large["direct_response"] == {"status": 413}
        assert streams["match"] == {"path": "/mien.v1.GalleryService/AddFaces"}
        assert streams["route"]["timeout"] == "0s"
        assert streams["route"]["max_stream_duration"] == {"grpc_timeout_header_max": "0s"}  # 0: as it asks
        for other in others:
            assert other["route"]["timeout"] == "60s"
            assert other["route"]["max_stream_duration"]["max_stream_duration"] == "120s"
        assert sum(other["route"]["cluster"] == "admin" for other in others) == 2


def routes(listener: dict[str, Any]) -> list[dict[str, Any]]:
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return [route for host in manager["route_config"]["virtual_hosts"] for route in host["routes"]]


@pytest.mark.parametrize("text", ["", "host", "host:", ":50051", "host:port", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Address.parse(text)


def test_the_folder_hides_no_package() -> None:
    """The package `envoy` brings the binary; a package of ours of that name would hide it."""
    assert not list(ENVOY.rglob("*.py"))
