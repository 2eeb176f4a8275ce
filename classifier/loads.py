"""Tells the log how a gallery that takes long to load gets on."""

import logging
import time
from uuid import UUID

log = logging.getLogger(__name__)

LONG = 2.0  # seconds that a load may take without a word, and between two words


class Progress:
    def __init__(self, gallery_id: UUID) -> None:
        self._gallery_id = gallery_id
        self._faces = 0
        self._began = self._told = time.monotonic()

    def expect(self, faces: int) -> None:
        self._faces = faces

    def reached(self, faces: int) -> None:
        if time.monotonic() - self._told > LONG:
            self._told = time.monotonic()
            log.info("loading gallery %s: %d of %d faces", self._gallery_id, faces, self._faces)

    def done(self) -> None:
        if self._told > self._began:
            took = time.monotonic() - self._began
            log.info("gallery %s is loaded: %d faces in %.1f s", self._gallery_id, self._faces, took)
