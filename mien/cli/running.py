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
from mien.launcher.console import Lines
from mien.launcher.folder import Folder, default_folder
from mien.launcher.gateway import Address, Places
from mien.launcher.mesh import Mesh, Plan
from mien.launcher.settings import Settings
from serving.settings import from_environment


def run_mesh(port: int, data: Path | None, embedders: int, classifiers: int) -> None:
    folder = Folder(data or default_folder())
    with folder.held():
        lines = Lines(width=len("classifier-1"))
        settings = from_environment(Settings, "GATEWAY_")
        pack = settings.pack or folder.pack or DEFAULT
        plan = Plan(folder, port, embedders, classifiers, settings.database_url, settings.max_request, pack)
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
    classifiers: str, embedders: str, admins: str, host: str, port: int, internal_port: int, admin_port: int
) -> None:
    places = Places(
        public=Address(host, port),
        internal=Address(host, internal_port),
        admin=Address("127.0.0.1", admin_port),
        classifiers=_addresses(classifiers),
        embedders=_addresses(embedders),
        admins=_addresses(admins),
    )
    config = Path(gettempdir()) / f"mien-envoy-{os.getpid()}.json"
    gateway.write(places, config, from_environment(Settings, "GATEWAY_").max_request)
    command = gateway.command(config)
    os.execv(command[0], command)  # Envoy itself gets the signals of the container


def _addresses(text: str) -> list[Address]:
    try:
        return [Address.parse(each.strip()) for each in text.split(",")]
    except ValueError as error:
        raise CommandError(str(error)) from None
