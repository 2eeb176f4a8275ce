"""What can be typed. Each command says what it does with --help; its work is imported when it runs."""

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.data import Data
from mien.cli.plainly import plainly
from mien.cli.user_commands import users

app = typer.Typer(
    help="Self-hosted face recognition: enrol faces, then ask who is in a photograph.",
    epilog="Read from the environment: DATABASE_URL (a Postgres of yours), MIEN_CACHE (the folder that keeps"
    " networks), MIEN_INDEX_URL (the package index they come from), MIEN_MAX_REQUEST_BYTES.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
services = typer.Typer(help="Services: each has an API key, and its own gallery.", no_args_is_help=True)
galleries = typer.Typer(help="Galleries: what replicas hold in memory of them.", no_args_is_help=True)
models = typer.Typer(help="Model packs: the networks that find and embed faces.", no_args_is_help=True)
app.add_typer(services, name="services")
app.add_typer(users, name="users")
app.add_typer(galleries, name="galleries")
app.add_typer(models, name="models")

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
    port: Annotated[int, typer.Option(help="Port of REST, gRPC and gRPC-Web; 0 takes a free one.")] = 8000,
    data: Data = None,
    embedders: Annotated[int, typer.Option(min=1, max=64, help="How many embedders.")] = 1,
    classifiers: Annotated[int, typer.Option(min=1, max=64, help="How many classifiers.")] = 1,
) -> None:
    """Run the whole mesh on this machine: Postgres, embedders, classifiers, Envoy. Ctrl-C stops it.

    What dies is started again. With DATABASE_URL set, that Postgres is used and none is started.
    """
    from mien.cli.running import run_mesh

    run_mesh(port, data, embedders, classifiers)


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
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of REST, gRPC and gRPC-Web.")] = 8000,
    internal_port: Annotated[int, typer.Option(help="Port where classifiers reach embedders.")] = 8001,
    admin_port: Annotated[int, typer.Option(help="Port of Envoy's own pages, on loopback alone.")] = 9901,
) -> None:
    """Run Envoy alone, with the configuration of the mesh: what a container of it runs.

    A HOST may stand for several replicas: every address that its name has is used.
    """
    from mien.cli.running import run_gateway

    run_gateway(classifiers, embedders, admins, host, port, internal_port, admin_port)


@services.command("create")
@plainly
def create_service(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    kind: Annotated[str, typer.Option("--type", help="recognition, detection or verification.")],
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it, as JSON.")] = False,
) -> None:
    """Make a service and print its API key. The key is stored as a hash: it is shown this once.

    Works while the mesh runs, and when it does not. Without --data, DATABASE_URL names the database if set.
    """
    from mien.cli.services import create

    create(name, kind, data, as_json)


@services.command("list")
@plainly
def list_services(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the services. Their keys are not stored, and so not shown."""
    from mien.cli.services import show

    show(data, as_json)


@services.command("policy")
@plainly
def set_policy(
    name: Annotated[str, typer.Argument(help="Name of a recognition service.")],
    false_match_rate: Annotated[
        float, typer.Option(help="Of strangers, the share that may be taken for somebody: 0.00001 to 0.1.")
    ],
    data: Data = None,
) -> None:
    """Say how many strangers a service may take for somebody it knows, when it is asked to decide.

    It counts at once, in a mesh that runs too. A new service has 0.001.
    """
    from mien.cli.services import policy

    policy(name, false_match_rate, data)


@galleries.command("list")
@plainly
def list_galleries(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the galleries by the names of their services: revision, faces, model."""
    from mien.cli.galleries import show

    show(data, as_json)


@galleries.command("verify")
@plainly
def verify_galleries(
    service: Annotated[
        str | None, typer.Argument(help="The service whose gallery to look at; all of them if none is named.")
    ] = None,
    classifiers: Annotated[
        str | None,
        typer.Option(help="Where classifiers are: HOST:PORT, several with commas. By default the mesh's."),
    ] = None,
    hold: Annotated[
        bool, typer.Option(help="Let writers wait meanwhile, for a gallery that never comes to rest.")
    ] = False,
    data: Data = None,
) -> None:
    """Compare what every classifier has in memory with a hash rebuilt from the database.

    Fails if one differs. Classifiers load the galleries that they do not hold.
    """
    from mien.cli.verifying import verify

    verify(service, classifiers, hold, data)


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
