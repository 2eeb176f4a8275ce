"""The model that embedders serve, for those who need to know it of face after face."""

import asyncio
import time

from classifier.analysis import Analyses
from classifier.faces import Model

LIFETIME = 1.0  # seconds it is believed without asking an embedder


class Served:
    def __init__(self, analyses: Analyses) -> None:
        self._analyses = analyses
        self._asking = asyncio.Lock()
        self._asked = float("-inf")
        self._model: Model | None = None

    async def model(self) -> Model:
        """Raises EmbedderUnavailable if none answers."""
        if model := self._remembered():
            return model
        async with self._asking:  # who comes meanwhile waits for the same answer
            if model := self._remembered():
                return model
            model, _ = await self._analyses.model()
            self._asked, self._model = time.monotonic(), model
            return model

    def _remembered(self) -> Model | None:
        return self._model if time.monotonic() - self._asked < LIFETIME else None
