"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(help="The folder of the mesh's data. By default where the platform keeps an application's."),
]
