"""The option that many commands have: which mesh is meant."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(help="The folder of the mesh's data. By default where the platform keeps an application's."),
]
