"""What several commands are asked for alike."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option(help="The folder of the mesh's data. By default where the platform keeps an application's."),
]
