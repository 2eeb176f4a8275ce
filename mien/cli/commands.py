"""What can be typed. Each command says what it does with --help; its work is imported when it runs."""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.audit_commands import audit
from mien.cli.gallery_commands import galleries
from mien.cli.key_commands import keys
from mien.cli.options import Data
from mien.cli.plainly import plainly
from mien.cli.service_commands import services
from mien.cli.user_commands import users

app = typer.Typer(
    help="Self-hosted face recognition: enrol faces, then ask who is in a photograph.",
    epilog="Read from the environment: DATABASE_URL (a Postgres of yours), MIEN_CACHE (the folder that keeps"
    " networks), MIEN_INDEX_URL (the package index they come from), MIEN_MAX_REQUEST_BYTES, MIEN_MAX_RATE,"
    " MIEN_TLS_CERTIFICATE, MIEN_TLS_KEY, MIEN_TLS_NAMES, MIEN_CORS_ORIGINS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models = typer.Typer(help="Model packs: the networks that find and embed faces.", no_args_is_help=True)
app.add_typer(services, name="services")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.add_typer(galleries, name="galleries")
app.add_typer(models, name="models")
app.add_typer(audit, name="audit")

PackName = Annotated[str, typer.Argument(help="Name of a model pack, or a pack file of your own, NAME.toml.")]
Accept = Annotated[
    bool, typer.Option("--accept-licence", help="Say yes to terms that have to be accepted, without asking.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(metadata.version("mien"))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None: ...


@app.command()
@plainly
def up(
    port: Annotated[
        int, typer.Option(help="Port of REST, gRPC and gRPC-Web without TLS; 0 takes a free one.")
    ] = 8000,
    data: Data = None,
    embedders: Annotated[int, typer.Option(min=1, max=64, help="How many embedders.")] = 1,
    classifiers: Annotated[int, typer.Option(min=1, max=64, help="How many classifiers.")] = 1,
    host: Annotated[
        str, typer.Option(help="Address to listen on with TLS; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    tls_port: Annotated[
        int | None, typer.Option(help="Port of the same with TLS; by default 443 above --port: 8443.")
    ] = None,
    plain_for_all: Annotated[
        bool,
        typer.Option(
            "--plain-for-all",
            help="Let other machines in without TLS too: all may read then what crosses the network.",
        ),
    ] = False,
) -> None:
    """Run the whole mesh on this machine: Postgres, embedders, classifiers, admin, Envoy. Ctrl-C stops it.

    Other machines get in with TLS alone, and if --host says so. What dies is started again. With
    DATABASE_URL set, that Postgres is used and none is started.
    """
    from mien.cli.running import run_mesh

    run_mesh(
        data=data,
        embedders=embedders,
        classifiers=classifiers,
        port=port,
        plain_for_all=plain_for_all,
        host=host,
        tls_port=tls_port,
    )


@app.command()
@plainly
def status(data: Data = None) -> None:
    """Show the processes of a running mesh: where each listens, whether it serves, where its metrics are."""
    from mien.cli.status import show_status

    show_status(data)


@app.command()
@plainly
def demo(
    output: Annotated[Path, typer.Option(help="The folder for the pictures and the demo's data.")] = Path(
        "mien-demo"
    ),
) -> None:
    """Enrol sample photographs in a throw-away mesh, recognise others, and draw what was found."""
    from mien.cli.demo import run_demo

    run_demo(output)


@app.command()
@plainly
def gateway(
    classifiers: Annotated[str, typer.Option(help="Where classifiers are: HOST:PORT, several with commas.")],
    embedders: Annotated[str, typer.Option(help="Where embedders are: HOST:PORT, several with commas.")],
    admins: Annotated[str, typer.Option(help="Where the admin service is: HOST:PORT, several with commas.")],
    host: Annotated[str, typer.Option(help="Address to listen on, with TLS and without.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of REST, gRPC and gRPC-Web without TLS.")] = 8000,
    tls_port: Annotated[int, typer.Option(help="Port of the same with TLS.")] = 8443,
    internal_host: Annotated[
        str, typer.Option(help="Address where classifiers reach embedders; not for the public.")
    ] = "127.0.0.1",
    internal_port: Annotated[int, typer.Option(help="Port where classifiers reach embedders.")] = 8001,
    admin_port: Annotated[int, typer.Option(help="Port of Envoy's own pages, on loopback alone.")] = 9901,
    data: Data = None,
) -> None:
    """Run Envoy alone, with the configuration of the mesh: what a container of it runs.

    A HOST may stand for several replicas: every address that its name has is used. The certificate of TLS,
    unless one is given, is made and kept in the folder of the data.
    """
    from mien.cli.running import run_gateway
    from mien.launcher.gateway import Address

    run_gateway(
        classifiers=classifiers,
        embedders=embedders,
        admins=admins,
        public=Address(host, port),
        secure=Address(host, tls_port),
        internal=Address(internal_host, internal_port),
        admin_port=admin_port,
        data=data,
    )


@models.command("list")
@plainly
def list_models(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the model packs: their licences, which are fetched, and which one `mien up` serves."""
    from mien.cli.models import show

    show(data, as_json)


@models.command("pull")
@plainly
def pull(pack: PackName = "open", accept_licence: Accept = False) -> None:
    """Fetch a model pack into the cache now, rather than at the first start.

    Says where each network comes from, and under which licence.
    """
    from mien.cli import models

    models.pull(pack, accept_licence)


@models.command("check")
@plainly
def check(
    pack: Annotated[str | None, typer.Argument(help="A model pack; the one in use if none is named.")] = None,
    data: Data = None,
) -> None:
    """Look at a model pack in the cache: its hashes, and whether its networks do their work."""
    from mien.cli import models

    models.check(pack, data)


@models.command("use")
@plainly
def use(pack: PackName, data: Data = None, accept_licence: Accept = False) -> None:
    """Choose the model pack that `mien up` serves, and fetch it.

    Embeddings of different models do not compare: what was enrolled with another has to be enrolled anew.
    """
    from mien.cli import models

    models.use(pack, data, accept_licence)
