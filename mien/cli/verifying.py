"""`mien galleries verify`: whether what replicas have in memory is what the database has."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import psycopg
from grpc_status import rpc_status

from mien.cli.database import in_database
from mien.cli.plainly import CommandError
from mien.launcher.folder import Folder, default_folder
from mien.launcher.gateway import Address
from mien.v1.gallery_pb2 import HOME_DATABASE, HOME_MEMORY, GetGalleryStateRequest, GetGalleryStateResponse
from mien.v1.gallery_pb2_grpc import GalleryServiceStub
from serving.faults import GalleryBehind
from serving.status import from_status
from store.rebuilding import Named, Rebuilt, list_galleries, passing, rebuilt

ATTEMPTS = 5  # to find a gallery at rest, at one revision here and there
LOADING = 300.0  # seconds that a replica may take to load a gallery
PATIENCE = 120.0  # seconds that one answer may take: to hash a million faces takes some

_REMEDIES: dict[int, str] = {
    HOME_MEMORY: "restart it, and it loads them",
    HOME_DATABASE: "move the gallery to memory, and back once it is there: its vectors are made anew",
}

States = Mapping[str, GetGalleryStateResponse]


def verify(service: str | None, classifiers: str | None, hold: bool, data: Path | None) -> None:
    """Prints a line for each gallery and replica. Raises CommandError if one differs."""
    replicas = _replicas(classifiers, data)

    def compare(connection: psycopg.Connection[Any]) -> list[str]:
        galleries = [each for each in list_galleries(connection) if service in (None, each.name)]
        if service and not galleries:
            raise CommandError(f"no recognition service is called {service!r}")
        return [wrong for each in galleries for wrong in _compare(connection, each, replicas, hold)]

    if wrong := in_database(data, compare):
        raise CommandError("\n      ".join(wrong))


def _replicas(classifiers: str | None, data: Path | None) -> dict[str, str]:
    """The addresses of classifiers, by what they are called."""
    if classifiers:
        try:
            return {each: str(Address.parse(each)) for each in map(str.strip, classifiers.split(","))}
        except ValueError as error:
            raise CommandError(str(error)) from None
    folder = Folder(data or default_folder())
    state = folder.state()
    if state is None:
        raise CommandError(
            f"no mesh is running in {folder.path}; name its folder with --data, or say --classifiers"
        )
    ports = {name: port for name, port in state["ports"].items() if name.startswith("classifier-")}
    return {name: f"127.0.0.1:{port}" for name, port in ports.items()}


def _compare(
    connection: psycopg.Connection[Any], gallery: Named, replicas: Mapping[str, str], hold: bool
) -> list[str]:
    """Prints how each replica has the gallery, and returns a sentence for each that differs."""
    with passing(connection, gallery.service_id) as key, ThreadPoolExecutor(len(replicas)) as threads:

        def ask() -> States:
            answers = threads.map(lambda address: _ask(address, key), replicas.values())
            return dict(zip(replicas, answers, strict=True))

        if hold:
            ask()  # so that no writer waits for a gallery to be loaded
        for _ in range(ATTEMPTS):
            with rebuilt(connection, gallery.id, hold) as stored:
                if stored is None:
                    return []  # it was deleted meanwhile
                states = ask()
            if all(state.revision == stored.revision for state in states.values()):
                return _judge(gallery, stored, states)
    raise CommandError(f"{gallery.name} changes faster than it can be compared; let writers wait with --hold")


def _ask(address: str, key: str) -> GetGalleryStateResponse:
    deadline = time.monotonic() + LOADING
    with grpc.insecure_channel(address) as channel:
        stub = GalleryServiceStub(channel)
        while True:
            try:
                return stub.GetGalleryState(
                    GetGalleryStateRequest(), metadata=(("x-api-key", key),), timeout=PATIENCE
                )
            except grpc.RpcError as error:
                status = rpc_status.from_call(error)
                fault = from_status(status) if status else None
                if not isinstance(fault, GalleryBehind) or time.monotonic() > deadline:
                    raise CommandError(f"{address} cannot be asked: {error.details()}") from None
                time.sleep(0.5)  # it is loading


def _judge(gallery: Named, stored: Rebuilt, states: States) -> list[str]:
    wrong = []
    for name, state in states.items():
        alike = (state.rows, state.hash) == (stored.rows, stored.hash)
        where = ", in the database" if state.home == HOME_DATABASE else ""
        said = f"revision {state.revision}, {state.rows} faces, {state.bytes} bytes{where}, hash {state.hash}"
        print(f"{gallery.name}  {name}  {said}  {'as in the database' if alike else 'DIFFERS'}")
        if not alike:
            wrong.append(
                f"{gallery.name}: {name} has {state.rows} faces at revision {state.revision}, but not the"
                f" {stored.rows} that the database has (hash {stored.hash}); {_REMEDIES[state.home]}"
            )
    return wrong
