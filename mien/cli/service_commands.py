"""The commands of `mien services`, as they are typed. Their work is imported when they run."""

from typing import Annotated

import typer

from mien.cli.options import Data
from mien.cli.plainly import plainly

services = typer.Typer(help="Services: each has API keys, and its own gallery.", no_args_is_help=True)


@services.command("create")
@plainly
def create_service(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    kind: Annotated[str, typer.Option("--type", help="recognition, detection or verification.")],
    images: Annotated[
        bool, typer.Option(help="Whether to keep the images that faces are enrolled from.")
    ] = True,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it, as JSON.")] = False,
) -> None:
    """Make a service and print its first API key. The key is stored as a hash: it is shown this once.

    That key may do all, without an end; `mien keys create` makes others, which may do less.

    Works while the mesh runs, and when it does not. Without --data, DATABASE_URL names the database if set.
    """
    from mien.cli.services import create

    create(name, kind, data, as_json, images)


@services.command("list")
@plainly
def list_services(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the services; `mien keys list` lists their keys."""
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


@services.command("retention")
@plainly
def set_retention(
    name: Annotated[str, typer.Argument(help="Name of a recognition service.")],
    images_days: Annotated[
        int | None,
        typer.Option(min=0, help="Erase images after so many days; 0: keep them with their faces."),
    ] = None,
    faces_days: Annotated[
        int | None, typer.Option(min=0, help="Erase faces after so many days; 0: keep them.")
    ] = None,
    images: Annotated[
        bool | None, typer.Option(help="Whether to keep images of faces that are enrolled from now on.")
    ] = None,
    data: Data = None,
) -> None:
    """Say for how long a service keeps images and faces, and show it. What is not named stays as it is.

    Classifiers erase what is too old within some minutes, subjects without a face left among it.
    """
    from mien.cli.services import retention

    retention(name, images_days, faces_days, images, data)
