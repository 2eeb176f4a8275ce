"""Commands fail with a plain sentence and exit code 1, without a trace."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class CommandError(Exception):
    """What was typed cannot be done. The message says why, and what to do."""


def plainly(command: Callable[P, None]) -> Callable[P, None]:
    """The command, whose foreseen failures are told in a line. Any other exception keeps its trace."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            if not _FORESEEN & {kind.__name__ for kind in type(error).__mro__}:
                raise
            print(f"mien: {error}", file=sys.stderr)
            sys.exit(1)

    return told


# By name, since to import them all would make every command slow to start.
_FORESEEN = {
    "CertificateError",
    "ChainError",
    "CommandError",
    "FetchError",
    "FolderError",
    "KeyTermsError",
    "MeshError",
    "MigrationError",
    "PackError",
    "PostgresError",
    "ServiceError",
    "SettingsError",
}
