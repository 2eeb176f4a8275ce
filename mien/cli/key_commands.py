"""The commands of `mien keys`, as they are typed. Their work is imported when they run."""

from typing import Annotated

import typer

from mien.cli.options import Data
from mien.cli.plainly import plainly

keys = typer.Typer(
    help="API keys: a service has several, each with scopes and limits of its own.", no_args_is_help=True
)

Service = Annotated[str, typer.Argument(help="Name of the service.")]
Key = Annotated[str, typer.Argument(help="Name of the key, or its id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all of it, as JSON.")]


@keys.command("create")
@plainly
def create_key(
    service: Service,
    name: Annotated[str, typer.Argument(help="A name of your own: who holds it, say.")],
    scope: Annotated[
        list[str],
        typer.Option(help="What it is for: recognise, enrol, manage, or all. May be given several times."),
    ],
    days: Annotated[float | None, typer.Option(help="Days until it expires; by default it does not.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second, at each classifier; by default any number.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(help="Requests at once; by default as many as in a second.")
    ] = None,
    daily_requests: Annotated[
        int | None, typer.Option(help="Requests a day, in the whole mesh; the day ends at midnight UTC.")
    ] = None,
    daily_images: Annotated[int | None, typer.Option(help="Images a day, likewise.")] = None,
    max_faces: Annotated[
        int | None, typer.Option(help="Faces that the gallery may have for this key to add another.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is stored as a hash: it is shown this once.

    Give each client one of its own, with the scopes that it needs: a camera that has recognise alone cannot
    list or change anything if it is stolen.

    To renew a key make another, hand it out, see with `mien keys list` that the old one is not used any more,
    and revoke that.
    """
    from mien.cli.keys import create

    create(
        service,
        name,
        scope,
        days,
        {
            "rate": rate,
            "burst": burst,
            "daily_requests": daily_requests,
            "daily_images": daily_images,
            "max_faces": max_faces,
        },
        data,
        as_json,
    )


@keys.command("list")
@plainly
def list_keys(service: Service, data: Data = None, as_json: AsJson = False) -> None:
    """List the keys of a service: what they may do, until when, and when they were used last."""
    from mien.cli.keys import show

    show(service, data, as_json)


@keys.command("rename")
@plainly
def rename_key(
    service: Service,
    key: Key,
    name: Annotated[str, typer.Argument(help="Its new name.")],
    data: Data = None,
) -> None:
    """Give a key another name."""
    from mien.cli.keys import rename

    rename(service, key, name, data)


@keys.command("revoke")
@plainly
def revoke_key(service: Service, key: Key, data: Data = None) -> None:
    """End a key: within a second every classifier of a running mesh refuses it. There is no way back."""
    from mien.cli.keys import revoke

    revoke(service, key, data)
