"""Envoy: its configuration, envoy/envoy.yaml, put where its neighbours are, and its command."""

import json
import os
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from serving.limits import MAX_REQUEST, largest_body, largest_message

TRANSCODER = "envoy.filters.http.grpc_json_transcoder"


class Address(NamedTuple):
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Of HOST:PORT. Raises ValueError."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Places(NamedTuple):
    """Where Envoy listens, and whom it calls."""

    public: Address
    internal: Address
    admin: Address
    classifiers: Sequence[Address]
    embedders: Sequence[Address]
    admins: Sequence[Address]


def configuration(places: Places, max_request: int = MAX_REQUEST) -> dict[str, Any]:
    """Envoy's bootstrap, for requests of `max_request` bytes."""
    source = _source()
    config: dict[str, Any] = yaml.safe_load((source / "envoy.yaml").read_text())
    config["admin"]["address"] = _socket(places.admin)
    static = config["static_resources"]
    for listener in static["listeners"]:
        listener["address"] = _socket(
            {"public": places.public, "internal": places.internal}[listener["name"]]
        )
    for cluster in static["clusters"]:
        hosts = {
            "classifier": places.classifiers,
            "embedder": places.embedders,
            "admin": places.admins,
        }[cluster["name"]]
        endpoints = [{"endpoint": {"address": _socket(host)}} for host in hosts]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
        cluster["per_connection_buffer_limit_bytes"] = largest_message(max_request)
    for http in _connection_managers(static["listeners"]):
        for each in http["http_filters"]:
            match each["name"].rpartition(".")[2]:
                case "lua":
                    each["typed_config"]["default_source_code"] = {
                        "inline_string": (source / "answers.lua").read_text()
                    }
                case "grpc_json_transcoder":
                    _place_transcoder(each["typed_config"], max_request)
        for host in http["route_config"]["virtual_hosts"]:
            for route in host["routes"]:
                if own := route.get("typed_per_filter_config", {}).get(TRANSCODER):
                    _place_transcoder(own, max_request)
    return config


def write(places: Places, path: Path, max_request: int = MAX_REQUEST) -> None:
    path.write_text(json.dumps(configuration(places, max_request), indent=1))


def command(config: Path) -> list[str]:
    """Runs Envoy in the foreground."""
    return [
        *[str(files("envoy") / "_bin" / "envoy"), "--config-path", str(config)],
        # One worker per core, up to what a mesh on one machine can use.
        *["--concurrency", str(min(4, len(os.sched_getaffinity(0))))],
        # Hot restart shares memory by number, and other Envoys of the machine have numbers too.
        *["--disable-hot-restart", "--log-level", "warning", "--log-format", 'level=%l logger=%n event="%v"'],
    ]


def _source() -> Traversable:
    """The folder envoy/: inside the package where it is installed, beside it in a working copy."""
    packed = files("mien") / "_envoy"
    return packed if packed.is_dir() else Path(str(files("mien"))).parent / "envoy"


def _place_transcoder(config: dict[str, Any], max_request: int) -> None:
    config["proto_descriptor"] = str(files("mien") / "descriptor.pb")
    config["max_request_body_size"] = largest_body(max_request)
    config["max_response_body_size"] = largest_message(max_request)


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _connection_managers(listeners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        each["typed_config"]
        for listener in listeners
        for chain in listener["filter_chains"]
        for each in chain["filters"]
    ]
