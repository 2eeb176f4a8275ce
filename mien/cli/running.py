"""`mien up` and `mien gateway`."""

import asyncio
import os
import signal
from pathlib import Path
from tempfile import gettempdir

from embedder.pack import DEFAULT, read_pack
from mien.cli.models import pull_pack
from mien.cli.plainly import CommandError
from mien.launcher import gateway
from mien.launcher.certificate import given, self_made
from mien.launcher.console import Lines
from mien.launcher.folder import Folder, default_folder
from mien.launcher.gateway import Address, Places, Terms
from mien.launcher.mesh import LOCAL, Mesh, Plan
from mien.launcher.settings import Settings
from serving.settings import from_environment


def run_mesh(
    *,
    data: Path | None,
    embedders: int,
    classifiers: int,
    port: int,
    plain_for_all: bool,
    host: str,
    tls_port: int | None,
) -> None:
    folder = Folder(data or default_folder())
    with folder.held():
        lines = Lines(width=len("classifier-1"))
        settings = from_environment(Settings, "GATEWAY_")
        pack = settings.pack or folder.pack or DEFAULT
        plan = Plan(
            *(folder, port, embedders, classifiers, settings.database_url, pack, _terms(settings)),
            plain_host="0.0.0.0" if plain_for_all else LOCAL,  # noqa: S104 # nosec B104 # as was asked for
            host=host,
            tls_port=tls_port,
            certificate=given(settings.tls_certificate, settings.tls_key),
            names=_words(settings.tls_names),
        )
        gateway.open_many_files()
        mesh = Mesh(plan, lines)
        pull_pack(read_pack(pack))
        asyncio.run(_until_told(mesh, lines))


async def _until_told(mesh: Mesh, lines: Lines) -> None:
    told_to_stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, told_to_stop.set)
    await mesh.run(lambda url: lines.say(f"mien is ready: {url}"), told_to_stop)
    lines.say("mien has stopped")


def run_gateway(
    *,
    classifiers: str,
    embedders: str,
    admins: str,
    public: Address,
    secure: Address,
    internal: Address,
    admin_port: int,
    data: Path | None,
) -> None:
    places = Places(
        public=public,
        secure=secure,
        internal=internal,
        admin=Address(LOCAL, admin_port),
        classifiers=_addresses(classifiers),
        embedders=_addresses(embedders),
        admins=_addresses(admins),
    )
    settings = from_environment(Settings, "GATEWAY_")
    certificate = given(settings.tls_certificate, settings.tls_key) or self_made(
        Folder(data or default_folder()).tls, _words(settings.tls_names)
    )
    print(f"TLS on {secure}; SHA-256 of its certificate: {certificate.fingerprint}", flush=True)
    config = Path(gettempdir()) / f"mien-envoy-{os.getpid()}.json"
    gateway.write(places, certificate, config, _terms(settings))
    gateway.open_many_files()
    command = gateway.command(config)
    os.execv(command[0], command)  # Envoy itself gets the signals of the container


def _terms(settings: Settings) -> Terms:
    return Terms(settings.max_request, settings.rate, _words(settings.origins))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _addresses(text: str) -> list[Address]:
    try:
        return [Address.parse(each.strip()) for each in text.split(",")]
    except ValueError as error:
        raise CommandError(str(error)) from None
