"""An archive of all that is held about one subject, made while it is sent."""

import asyncio
import json
import zipfile
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from serving.faults import Overloaded
from store.held import Held, HeldFace
from store.subjects import Subject

AT_ONCE = 4  # exports
CHUNK = 256 << 10  # bytes
_TIME = (1980, 1, 1, 0, 0, 0)  # of every file: when it was made says nothing
# How image files begin, and what their names end with.
_KINDS = {
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"RIFF": "webp",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"\0\0\1\0": "ico",
}


class Exporting:
    def __init__(self, held: Held) -> None:
        self._held = held
        self._running = 0

    async def archive(self, gallery_id: UUID, name: str) -> AsyncGenerator[bytes, None]:
        """A zip file, in pieces; an image and a page of faces are in memory at a time.

        Raises Overloaded, SubjectNotFound.
        """
        with self._admitted():
            subject = await self._held.begin(gallery_id, name)
            archive = _Archive()
            async for file, content in self._files(subject):
                for piece in await asyncio.to_thread(archive.add, file, content):
                    yield piece
            for piece in await asyncio.to_thread(archive.close):
                yield piece

    async def _files(self, subject: Subject) -> AsyncGenerator[tuple[str, Iterable[bytes]], None]:
        """Names and contents, which are made in the thread that takes them."""
        yield "subject.json", [_line({"id": str(subject.id), "name": subject.name})]
        number = 0
        async for page in self._held.faces(subject.id):
            number += 1
            yield f"faces/{number}.jsonl", map(_face, page)
        async for face_id, image in self._held.images(subject.id):
            yield f"images/{face_id}.{_kind(image)}", [image]
        number = 0
        async for events in self._held.events(subject.id):
            number += 1
            yield f"audit/{number}.jsonl", [_line(event.told()) for event in events]

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._running >= AT_ONCE:
            raise Overloaded(f"{AT_ONCE} exports are under way at this server; try again later", 1.0)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


class _Archive:
    """A zip file that is taken away as it grows. Image files do not compress: nothing is compressed."""

    def __init__(self) -> None:
        self._grown = bytearray()
        self._zip = zipfile.ZipFile(self, "w")  # type: ignore[call-overload]

    def write(self, data: bytes) -> int:
        self._grown += data
        return len(data)

    def flush(self) -> None: ...

    def add(self, name: str, content: Iterable[bytes]) -> list[bytes]:
        self._zip.writestr(zipfile.ZipInfo(name, _TIME), b"".join(content))
        return self._taken()

    def close(self) -> list[bytes]:
        self._zip.close()
        return self._taken()

    def _taken(self) -> list[bytes]:
        taken, self._grown = bytes(self._grown), bytearray()
        return [taken[start : start + CHUNK] for start in range(0, len(taken), CHUNK)]


def _face(face: HeldFace) -> bytes:
    told = face._asdict() | {"id": str(face.id), "embedding": np.frombuffer(face.embedding, "<f4").tolist()}
    del told["enrolled"]
    return _line(told)


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, default=_plain).encode() + b"\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _kind(image: bytes) -> str:
    return next((kind for begin, kind in _KINDS.items() if image.startswith(begin)), "bin")
