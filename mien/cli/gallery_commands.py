"""The commands of `mien galleries`, as they are typed. Their work is imported when they run."""

from typing import Annotated

import typer

from mien.cli.options import Data
from mien.cli.plainly import plainly

galleries = typer.Typer(
    help="Galleries: what replicas hold of them, and where they are searched.", no_args_is_help=True
)


@galleries.command("list")
@plainly
def list_galleries(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the galleries by the names of their services: revision, faces, model, where they are searched."""
    from mien.cli.galleries import show

    show(data, as_json)


@galleries.command("move")
@plainly
def move_gallery(
    service: Annotated[str, typer.Argument(help="Name of a recognition service.")],
    to: Annotated[
        str, typer.Option(help="memory, of classifiers; or database, for galleries too large for it.")
    ],
    data: Data = None,
) -> None:
    """Say where a gallery is to be searched. Classifiers move it, while it is searched and written to.

    It moves while a mesh runs; `mien galleries list` tells when it is there. A million faces take long.
    """
    from mien.cli.galleries import move

    move(service, to, data)


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


@galleries.command("scrub")
@plainly
def scrub_galleries(data: Data = None) -> None:
    """Write the tables of all galleries anew, so that Postgres' files no longer have what was erased.

    It takes as long as the tables are large, and as much disk again; calls wait meanwhile.
    """
    from mien.cli.galleries import scrub_all

    scrub_all(data)
