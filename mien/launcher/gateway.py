"""Envoy: its configuration, envoy/envoy.yaml, put where its neighbours are, and its command."""

import json
import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mien.launcher.certificate import Certificate
from serving.limits import MAX_REQUEST, largest_body, largest_message


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

    public: Address  # without TLS
    secure: Address  # with TLS
    internal: Address
    admin: Address
    classifiers: Sequence[Address]
    embedders: Sequence[Address]
    admins: Sequence[Address]


@dataclass(frozen=True)
class Terms:
    """What the public is granted."""

    max_request: int = MAX_REQUEST  # bytes
    rate: int | None = None  # requests a second of one client address, twice as many at once; None: by cores
    origins: Sequence[str] = ()  # whose pages may read answers, beside those of CompreFace's paths


DEFAULT = Terms()


def configuration(places: Places, terms: Terms, certificate: Path) -> dict[str, Any]:
    """Envoy's bootstrap; `certificate` is the file that `write` puts beside it."""
    source = _source()
    config: dict[str, Any] = yaml.safe_load((source / "envoy.yaml").read_text())
    config["admin"]["address"] = _socket(places.admin)
    static = config["static_resources"]
    for listener in static["listeners"]:
        listener["address"] = _socket(
            {"public": places.public, "secure": places.secure, "internal": places.internal}[listener["name"]]
        )
    for cluster in static["clusters"]:
        hosts = {
            "classifier": places.classifiers,
            "embedder": places.embedders,
            "admin": places.admins,
        }[cluster["name"]]
        endpoints = [{"endpoint": {"address": _socket(host)}} for host in hosts]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
        cluster["per_connection_buffer_limit_bytes"] = largest_message(terms.max_request)
    for kind, each in _typed(config):
        match kind:
            case "FixedHeapConfig":
                # Room for a few dozen of the largest requests, each copied on its way.
                each["max_heap_size_bytes"] = max(
                    each["max_heap_size_bytes"], 48 * largest_message(terms.max_request)
                )
            case "DownstreamConnectionsConfig":
                most = each["max_active_downstream_connections"]
                each["max_active_downstream_connections"] = min(most, _files() * 3 // 4)
            case "DownstreamTlsContext":
                (secret,) = each["common_tls_context"]["tls_certificate_sds_secret_configs"]
                secret["sds_config"]["path_config_source"]["path"] = str(certificate)
            case "HttpConnectionManager":
                for route in each["route_config"]["virtual_hosts"][0]["routes"]:
                    if "direct_response" in route:  # to what says itself that it is too large
                        (length,) = route["match"]["headers"]
                        length["range_match"]["start"] = largest_body(terms.max_request) + 1
            case "Lua":
                each["default_source_code"] = {"inline_string": (source / "answers.lua").read_text()}
            case "CorsPolicy":
                if not each["allow_origin_string_match"]:
                    each["allow_origin_string_match"] = [{"exact": origin} for origin in terms.origins]
            case "LocalRateLimit":
                rate = terms.rate or 250 * _cores()
                each["descriptors"][0]["token_bucket"] |= {"max_tokens": 2 * rate, "tokens_per_fill": rate}
            case "GrpcJsonTranscoder":
                each["proto_descriptor"] = str(files("mien") / "descriptor.pb")
                each["max_response_body_size"] = largest_message(terms.max_request)
                each["max_request_body_size"] = largest_body(terms.max_request)
            case "Buffer":
                each["max_request_bytes"] = largest_body(terms.max_request)
    return config


def write(places: Places, certificate: Certificate, path: Path, terms: Terms = DEFAULT) -> None:
    """Writes the bootstrap, and beside it where the certificate is."""
    beside = path.with_name(f"{path.stem}-tls.json")
    secret = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        "name": "edge",
        "tls_certificate": {
            "certificate_chain": {"filename": str(certificate.chain)},
            "private_key": {"filename": str(certificate.key)},
        },
    }
    beside.write_text(json.dumps({"resources": [secret]}, indent=1))
    path.write_text(json.dumps(configuration(places, terms, beside), indent=1))


def open_many_files() -> None:
    """Lets this process and its children open as many files, and so connections, as the system grants."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_files(), _files()))


def command(config: Path) -> list[str]:
    """Runs Envoy in the foreground."""
    return [
        *[str(files("envoy") / "_bin" / "envoy"), "--config-path", str(config)],
        # A worker for every other core, up to what a mesh on one machine can use: whatever comes in, the
        # services keep the rest.
        *["--concurrency", str(min(4, max(1, _cores() // 2)))],
        # Hot restart shares memory by number, and other Envoys of the machine have numbers too.
        *["--disable-hot-restart", "--log-level", "warning", "--log-format", 'level=%l logger=%n event="%v"'],
    ]


def _source() -> Traversable:
    """The folder envoy/: inside the package where it is installed, beside it in a working copy."""
    packed = files("mien") / "_envoy"
    return packed if packed.is_dir() else Path(str(files("mien"))).parent / "envoy"


def _socket(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _typed(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of a configuration that name their type, each with the last word of it."""
    if isinstance(part, dict):
        if "@type" in part:
            yield part["@type"].rpartition(".")[2], part
        for inner in part.values():
            yield from _typed(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _typed(inner)
