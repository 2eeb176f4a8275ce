"""Settings are frozen dataclasses of what a process reads from its environment; this fills them.

The dataclass is their documentation: `python -m SERVICE --help` prints it.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

S = TypeVar("S")

UNUSABLE = 78  # exit code of a process that another start would not help: EX_CONFIG of sysexits.h


class SettingsError(Exception):
    """The environment does not describe a runnable service. The message names the variable."""


def setting(name: str, says: str, default: Any = MISSING) -> Any:
    """A field of a settings class: the variable `name`, required unless there is a default."""
    return field(default=default, metadata={"name": name, "says": says})


def from_environment(cls: type[S], prefix: str, environ: Mapping[str, str] = os.environ) -> S:
    """Reads `cls`, whose fields are str, int, float or Path, each optional ones too.

    A variable that starts with `prefix` and that no field answers to is an error: it is misspelt.
    """
    wanted = {each.metadata["name"]: each for each in fields(cls)}  # type: ignore[arg-type]
    if strangers := sorted(name for name in environ if name.startswith(prefix) and name not in wanted):
        raise SettingsError(f"{', '.join(strangers)}: no such setting; there are {', '.join(wanted)}")
    values: dict[str, Any] = {}
    for name, each in wanted.items():
        if environ.get(name):
            values[each.name] = _parse(name, environ[name], get_type_hints(cls)[each.name])
        elif each.default is MISSING:
            raise SettingsError(f"{name} is required: {each.metadata['says']}")
    return cls(**values)


def read_settings(cls: type[S], prefix: str) -> S:
    """What `__main__` calls: answers --help, and ends the process with a plain word about a mistake."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(describe(cls))
        raise SystemExit(0)
    if sys.argv[1:]:
        raise SystemExit(f"unknown argument {sys.argv[1]!r}: settings come from the environment; try --help")
    try:
        return from_environment(cls, prefix)
    except SettingsError as error:
        print(f"{error}\nTry --help.", file=sys.stderr)
        raise SystemExit(UNUSABLE) from None


def describe(cls: type[Any]) -> str:
    """The settings as text for people: name, default, meaning."""
    lines = [(cls.__doc__ or "").strip(), "", "Settings, read from the environment:"]
    for each in fields(cls):
        default = "required" if each.default is MISSING else f"default: {_shown(each.default)}"
        lines += ["", f"  {each.metadata['name']}  ({default})", f"      {each.metadata['says']}"]
    return "\n".join(lines)


def _shown(default: object) -> str:
    return "unset" if default is None else str(default)


def _parse(name: str, text: str, kind: Any) -> Any:
    for option in (str, int, float, Path):
        if kind == option or kind == option | None:
            try:
                return option(text)
            except ValueError:
                raise SettingsError(f"{name}={text!r} is not of type {option.__name__}") from None
    raise TypeError(f"{name}: no setting can be of type {kind}")
