"""What can be typed of users; as in commands.py, the work is imported when it runs."""

from typing import Annotated

import typer

from mien.cli.options import Data
from mien.cli.plainly import plainly

users = typer.Typer(help="Users: for the first owner, and to get back in.", no_args_is_help=True)


@users.command("create")
@plainly
def create_user(
    email: Annotated[str, typer.Argument(help="What they sign in with.")],
    first_name: Annotated[str, typer.Option(help="Their first name.")],
    last_name: Annotated[str, typer.Option(help="Their last name.")],
    role: Annotated[str, typer.Option(help="user, administrator or owner.")] = "user",
    data: Data = None,
) -> None:
    """Make an account. The first one is the owner's. The password is asked for, or read from standard input.

    Works while the mesh runs, and when it does not. Without --data, DATABASE_URL names the database if set.
    """
    from mien.cli.users import create

    create(email, first_name, last_name, role, data)


@users.command("list")
@plainly
def list_users(
    data: Data = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """List the users by their e-mails, with their roles."""
    from mien.cli.users import show

    show(data, as_json)


@users.command("reset")
@plainly
def reset_user(
    email: Annotated[str, typer.Argument(help="Of the account.")],
    data: Data = None,
) -> None:
    """Print a token by which a new password can be set once, within 15 minutes; sign out everywhere; unlock.

    Set it with PUT /admin/user/reset-password?token=TOKEN and {"password": "..."}.
    """
    from mien.cli.users import reset

    reset(email, data)


@users.command("role")
@plainly
def set_role(
    email: Annotated[str, typer.Argument(help="Of the account.")],
    role: Annotated[str, typer.Argument(help="user, administrator or owner.")],
    data: Data = None,
) -> None:
    """Give a user another role. A new owner makes an administrator of the one before."""
    from mien.cli.users import give_role

    give_role(email, role, data)
