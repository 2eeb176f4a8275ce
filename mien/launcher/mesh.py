"""The whole mesh on one machine: started in order, watched, and stopped in order."""

import asyncio
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psycopg

from classifier.memory import budget
from embedder.pack import DEFAULT
from mien.launcher import gateway
from mien.launcher.certificate import Certificate, CertificateError, self_made
from mien.launcher.folder import Folder
from mien.launcher.gateway import Address, Places, Terms
from mien.launcher.postgres import Postgres
from mien.launcher.process import Process, Say
from serving.probe import is_serving
from store.migrations import migrate

LOCAL = "127.0.0.1"
STARTING = 120.0  # seconds until every process must be ready
DRAINING = 3.0  # seconds that requests in flight may take once the mesh is told to stop
LEAVING = 1.0  # seconds that Envoy may take to end after that
DAY = 86400.0  # seconds until the certificate is looked at again
STOPPING = 3.0  # seconds that the services may take to end, and Postgres after them; 10 in all


class MeshError(Exception):
    """The mesh cannot run. The message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """What to run, and where."""

    folder: Folder
    port: int  # of REST and gRPC without TLS; 0 takes a free one
    embedders: int = 1
    classifiers: int = 1
    database_url: str | None = None  # None: a Postgres of our own
    pack: str = DEFAULT  # the model pack: a name, or the path of a file
    terms: Terms = gateway.DEFAULT
    plain_host: str = LOCAL  # where it listens without TLS
    host: str = LOCAL  # where it listens with TLS
    tls_port: int | None = None  # of the same with TLS; None: 443 above, or a free one beside a free one
    certificate: Certificate | None = None  # None: one of our own
    names: Sequence[str] = ()  # that our own is for, beside this machine's


class Mesh:
    """Call `run` once. The folder of the plan must be held."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._plan = plan
        self._say = say
        services = [*self._named("embedder"), *self._named("classifier"), *self._named("admin")]
        names = ["postgres", "internal", "admin", *services]
        free, free_too, *ports = free_ports(2 + len(names) + len(services))
        self.port = plan.port or free
        above = plan.port + 443 if 0 < plan.port < 65536 - 443 else 0
        self.tls_port = (above if plan.tls_port is None else plan.tls_port) or free_too
        require_free(self.port, plan.plain_host)
        require_free(self.tls_port, plan.host, "--tls-port")
        self._ports = dict(zip(names, ports[: len(names)], strict=True))
        self._metrics = {
            name: f"{LOCAL}:{port}" for name, port in zip(services, ports[len(names) :], strict=True)
        }
        self._postgres: Postgres | None = None
        self._processes: dict[str, Process] = {}
        self._unusable: str | None = None  # the name of a process that no other start would help
        self._given_up = asyncio.Event()

    async def run(self, ready: Callable[[str], None], told_to_stop: asyncio.Event) -> None:
        """Runs until told to stop. Calls `ready` with the mesh's URL once all of it serves.

        Raises MeshError, and PostgresError. Leaves no process behind, however it ends.
        """
        try:
            running = asyncio.create_task(self._run(ready))
            stopping = asyncio.create_task(told_to_stop.wait())
            giving_up = asyncio.create_task(self._given_up.wait())
            await asyncio.wait({running, stopping, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            for task in (running, stopping, giving_up):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await running  # raises what went wrong
            if self._unusable:
                raise MeshError(f"{self._unusable} cannot run as it is set; the log above says why")
        finally:
            await self._stop()

    async def _run(self, ready: Callable[[str], None]) -> None:
        url = await self._database()
        certificate = await asyncio.to_thread(self._certificate)
        state = {
            "port": self.port,
            "database_url": url,
            "ports": self._ports | {"envoy": self.port, "secure": self.tls_port},
            "metrics": {name: f"http://{address}/metrics" for name, address in self._metrics.items()}
            | {"envoy": f"http://{self._address('admin')}/stats/prometheus"},
        }
        with self._plan.folder.running(state):
            self._start_services(url, certificate)
            await self._serving()
            self._say("mien", f"with TLS: https://{self._plan.host}:{self.tls_port}")
            self._say("mien", f"SHA-256 of its certificate: {certificate.fingerprint}")
            ready(f"http://{LOCAL}:{self.port}")
            while True:  # until cancelled
                await asyncio.sleep(DAY)
                try:
                    await asyncio.to_thread(self._certificate)  # Envoy reads a new one by itself
                except CertificateError as error:
                    self._say("mien", str(error))

    def _certificate(self) -> Certificate:
        return self._plan.certificate or self_made(self._plan.folder.tls, self._plan.names)

    async def _database(self) -> str:
        url = self._plan.database_url
        if url is None:
            self._postgres = Postgres(self._plan.folder.postgres, self._ports["postgres"])
            await asyncio.to_thread(self._postgres.create)
            url = self._postgres.url
            self._start(self._postgres.process(self._say))
        await self._migrated(url)
        return url

    async def _migrated(self, url: str) -> None:
        deadline = time.monotonic() + STARTING
        while True:
            try:
                applied = await asyncio.to_thread(migrate, url)
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or self._postgres is None:
                    raise MeshError(f"the database cannot be reached: {error}") from None
                await asyncio.sleep(0.1)
            else:
                for name in applied:
                    self._say("mien", f"applied {name}")
                return

    def _start_services(self, url: str, certificate: Certificate) -> None:
        threads = max(1, len(os.sched_getaffinity(0)) // self._plan.embedders)
        # One for each embedder, in turn, where several are named: "cuda:0,cuda:1".
        devices = os.environ["EMBEDDER_DEVICE"].split(",") if "EMBEDDER_DEVICE" in os.environ else []
        for number, name in enumerate(self._named("embedder")):
            listen = {"EMBEDDER_LISTEN": self._address(name), "EMBEDDER_METRICS": self._metrics[name]}
            work = {"EMBEDDER_PACK": self._plan.pack, "EMBEDDER_THREADS": str(threads)}
            if devices:
                work["EMBEDDER_DEVICE"] = devices[number % len(devices)]
            self._start(self._python(name, "embedder", {**listen, **work}))
        memory = os.environ.get("CLASSIFIER_MEMORY") or str(budget(self._plan.classifiers))
        work = {
            "CLASSIFIER_EMBEDDER": self._address("internal"),
            "DATABASE_URL": url,
            "CLASSIFIER_MEMORY": memory,
        }
        for name in self._named("classifier"):
            listen = {"CLASSIFIER_LISTEN": self._address(name), "CLASSIFIER_METRICS": self._metrics[name]}
            self._start(self._python(name, "classifier", {**listen, **work}))
        for name in self._named("admin"):
            listen = {"ADMIN_LISTEN": self._address(name), "ADMIN_METRICS": self._metrics[name]}
            self._start(self._python(name, "admin", {**listen, "DATABASE_URL": url}))
        places = Places(
            public=Address(self._plan.plain_host, self.port),
            secure=Address(self._plan.host, self.tls_port),
            internal=Address(LOCAL, self._ports["internal"]),
            admin=Address(LOCAL, self._ports["admin"]),
            classifiers=[Address(LOCAL, self._ports[name]) for name in self._named("classifier")],
            embedders=[Address(LOCAL, self._ports[name]) for name in self._named("embedder")],
            admins=[Address(LOCAL, self._ports[name]) for name in self._named("admin")],
        )
        gateway.write(places, certificate, self._plan.folder.gateway, self._plan.terms)
        self._start(Process("envoy", gateway.command(self._plan.folder.gateway), self._say))

    async def _serving(self) -> None:
        """Returns once each process is healthy, and Envoy has found them so."""
        kinds = ("embedder", "classifier", "admin")
        addresses = [self._address(name) for kind in kinds for name in self._named(kind)]
        addresses += [self._address("internal"), f"{LOCAL}:{self.port}"]
        deadline = time.monotonic() + STARTING
        while addresses:
            if await asyncio.to_thread(is_serving, addresses[0], 1.0):
                addresses.pop(0)
            elif time.monotonic() > deadline:
                raise MeshError(f"not ready after {STARTING:.0f} s; the log above says what is wrong")
            else:
                await asyncio.sleep(0.1)

    async def _stop(self) -> None:
        if envoy := self._processes.pop("envoy", None):
            await asyncio.to_thread(self._drain)
            await envoy.stop(LEAVING)
        postgres = self._processes.pop("postgres", None)
        await asyncio.gather(*(process.stop(STOPPING) for process in self._processes.values()))
        if postgres:
            await postgres.stop(STOPPING)

    def _drain(self) -> None:
        """Tells Envoy to take no more, and waits a little for what is in flight."""
        admin = f"http://{LOCAL}:{self._ports['admin']}"
        deadline = time.monotonic() + DRAINING
        try:
            order = urllib.request.Request(f"{admin}/drain_listeners?graceful&skip_exit", method="POST")  # noqa: S310
            urllib.request.urlopen(order, timeout=1).close()  # noqa: S310 # nosec B310 # ours
            active = f"{admin}/stats?filter=http.public.downstream_rq_active"
            while time.monotonic() < deadline:
                with urllib.request.urlopen(active, timeout=1) as answer:  # noqa: S310 # nosec B310 # ours
                    if answer.read().strip().endswith(b": 0"):
                        return
                time.sleep(0.05)
        except OSError:
            pass  # it is gone already

    def _named(self, kind: str) -> list[str]:
        count = {"embedder": self._plan.embedders, "classifier": self._plan.classifiers, "admin": 1}[kind]
        return [f"{kind}-{number}" for number in range(1, count + 1)]

    def _address(self, name: str) -> str:
        return f"{LOCAL}:{self._ports[name]}"

    def _python(self, name: str, module: str, environment: dict[str, str]) -> Process:
        # -P: a folder of this name where the user happens to be is not our module.
        return Process(name, [sys.executable, "-P", "-m", module], self._say, environment)

    def _start(self, process: Process) -> None:
        self._processes[process.name] = process
        process.give_up = self._give_up
        process.start()

    def _give_up(self, name: str) -> None:
        self._unusable = name
        self._given_up.set()


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """All different: each is held until the last is found."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server((LOCAL, 0))) for _ in range(count)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def require_free(port: int, host: str = LOCAL, option: str = "--port") -> None:
    """Raises MeshError if something listens there: two servers on one port would share its calls."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise MeshError(
                f"port {port} cannot be used: {error.strerror}; name another with {option}"
            ) from None
