"""`mien audit ...`: what can be typed."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from mien.cli.options import Data
from mien.cli.plainly import plainly

audit = typer.Typer(
    help="The audit log: who did what to which object, when and from where. It is a chain of hashes.",
    no_args_is_help=True,
)


@audit.command("list")
@plainly
def list_events(
    last: Annotated[int, typer.Option(min=1, help="How many of the newest to show.")] = 50,
    action: Annotated[str | None, typer.Option(help="Only such events, as subject.erased.")] = None,
    about: Annotated[
        UUID | None, typer.Option(help="Only events of this id: of an object, a subject, a key, a receipt.")
    ] = None,
    service: Annotated[str | None, typer.Option(help="Only events of the service of this name.")] = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON, one a line.")] = False,
) -> None:
    """Show the newest events, the newest last.

    Subjects are told by their ids, since names are of persons: an export of the subject has its id.
    """
    from mien.cli.audit import show

    show(last, action, about, service, data, as_json)


@audit.command("export")
@plainly
def export_events(
    to: Annotated[Path | None, typer.Option(help="The file to write; standard output if unset.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only events from then on, in UTC.")] = None,
    data: Data = None,
) -> None:
    """Write the log as JSON, one event a line, each with its hash and the one before it.

    The lines can be verified without mien and without the database: docs/audit.md says how.
    """
    from mien.cli.audit import export

    export(to, since, data)


@audit.command("verify")
@plainly
def verify_chain(
    head: Annotated[
        str | None, typer.Option(help="NUMBER:HASH as an earlier verify printed it: it must still be there.")
    ] = None,
    data: Data = None,
) -> None:
    """Compute every hash of the log anew, and print its newest: keep that where this machine cannot write.

    Fails if an event was changed, left out or put in. Only with --head does it notice that the newest events
    are gone, or that all of the log was written anew.
    """
    from mien.cli.audit import verify

    verify(head, data)
