"""Hostile clients: python -m bench.attacks NAME ADDRESS SECONDS, which prints what became of them as JSON.

They come from 127.0.0.2, so that the limits of an address are theirs alone, and have the lowest priority,
so that their own work takes no time of those that are measured beside them.
"""

import asyncio
import errno
import json
import os
import resource
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import count

from bench.frames import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    HELLO,
    PING,
    RST_STREAM,
    SETTINGS,
    call,
    frame,
    get,
)

SOURCE = "127.0.0.2"
GIB = 1 << 30
LINE = 125e6  # bytes a second that all of them send at most: a gigabit
RECOGNIZE = "/api/v1/recognition/recognize"
_PIECE = bytes(1 << 16)


class Attack:
    """Goes on until its time is over, and counts what it did and what it was told."""

    def __init__(self, address: str, seconds: float) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._began = time.monotonic()
        self._end = self._began + seconds
        self.counted: Counter[str] = Counter()

    async def slow_headers(self) -> None:
        """500 clients that send a request letter by letter."""
        await self._many(500, lambda: self._drip(f"POST {RECOGNIZE} HTTP/1.1\r\nhost: mien\r\nx-slow: "))

    async def slow_bodies(self) -> None:
        """200 clients that send an image byte by byte."""
        head = f"POST {RECOGNIZE} HTTP/1.1\r\nhost: mien\r\ncontent-length: 5000000\r\n\r\n"
        await self._many(200, lambda: self._drip(head))

    async def endless_stream(self) -> None:
        """Bodies without an end: of REST in chunks, JSON too, and of a call."""
        chunked = "HTTP/1.1\r\nhost: mien\r\ntransfer-encoding: chunked\r\ncontent-type:"
        piece = b"10000\r\n" + b"x" * len(_PIECE) + b"\r\n"
        rest = (f"POST {RECOGNIZE} {chunked} multipart/form-data; boundary=x\r\n\r\n".encode(), piece)
        start = b'f\r\n{"subject": "xyz\r\n'
        native = (f"POST /v1/subjects {chunked} application/json\r\n\r\n".encode() + start, piece)
        grpc = self._called("/mien.v1.RecognitionService/Recognize", (1 << 32) - 1)
        await self._many(2, *(partial(self._pour, *each) for each in (rest, native, grpc)))

    async def large_message(self) -> None:
        """A GiB: as a body of REST, and as the message of a call."""
        head = f"POST {RECOGNIZE} HTTP/1.1\r\nhost: mien\r\ncontent-length: {GIB}\r\n\r\n".encode()
        grpc = self._called("/mien.v1.RecognitionService/Recognize", GIB)
        await self._many(2, *(partial(self._pour, *each) for each in ((head, _PIECE), grpc)))

    async def connections(self) -> None:
        """10,000 connections that say nothing."""
        silent = [socket.socket() for _ in range(10_000)]
        for each in silent:
            each.bind((SOURCE, 0))
            each.setblocking(False)
            each.connect_ex((self._host, self._port))
        await asyncio.sleep(self._end - time.monotonic())
        for each in silent:
            there = each.connect_ex((self._host, self._port)) in (0, errno.EISCONN)
            self.counted["opened" if there else "not answered"] += 1
            with suppress(OSError):  # nothing to read, as it should be
                self.counted["ended by the server"] += there and each.recv(1) == b""
            each.close()

    async def header_flood(self) -> None:
        """Thousands of headers, and headers of HTTP/2 that go on and on."""
        lines = "".join(f"x-{number}: {'y' * 40}\r\n" for number in range(5000))
        rest = f"GET / HTTP/1.1\r\nhost: mien\r\n{lines}\r\n".encode()
        opened = HELLO + frame(HEADERS, END_STREAM, 1, get("/"))
        on = frame(CONTINUATION, 0, 1, b"\x00\x01x\x7f\x00" + b"y" * 127)
        await self._many(2, *(partial(self._pour, *each) for each in ((rest, b""), (opened, on * 64))))

    async def reset_flood(self) -> None:
        """Requests of HTTP/2 that are taken back at once."""
        path = call("/mien.v1.RecognitionService/Recognize")

        def taken_back(stream: int) -> bytes:
            return frame(HEADERS, END_HEADERS, stream, path) + frame(RST_STREAM, 0, stream, CANCEL)

        batch = [taken_back(stream) for stream in range(1, 40_001, 2)]
        await self._many(
            2, lambda: self._pour(HELLO, *(b"".join(batch[at : at + 100]) for at in range(0, 20_000, 100)))
        )

    async def frame_flood(self) -> None:
        """Pings and settings, whose answers nobody reads."""
        both = frame(PING, 0, 0, bytes(8)) + frame(SETTINGS, 0, 0)
        await self._many(2, lambda: self._pour(HELLO, both * 500, listen=False))

    def _called(self, path: str, length: int) -> tuple[bytes, bytes]:
        head = frame(HEADERS, END_HEADERS, 1, call(path))
        begun = frame(DATA, 0, 1, b"\0" + length.to_bytes(4) + b"x")
        return HELLO + head + begun, frame(DATA, 0, 1, bytes(1 << 14))

    async def _many(self, clients: int, *attacks: Callable[[], Awaitable[None]]) -> None:
        """So many clients of each kind, which come again when they are cut off."""

        async def go_on(attack: Callable[[], Awaitable[None]]) -> None:
            while time.monotonic() < self._end:
                await attack()
                await asyncio.sleep(0.02)

        await asyncio.gather(*(go_on(attack) for attack in attacks for _ in range(clients)))

    async def _meet(
        self, act: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> None:
        """Acts on a new connection until the end of the attack, or until the server has had enough."""
        writer = None
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                reader, writer = await asyncio.open_connection(self._host, self._port, local_addr=(SOURCE, 0))
                self.counted["opened"] += 1
                await act(reader, writer)
        except TimeoutError:
            self.counted["there to the end"] += 1
        except OSError:
            self.counted["cut off"] += 1
        finally:
            if writer:
                writer.transport.abort()

    async def _drip(self, head: str) -> None:
        async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            listening = asyncio.create_task(self._told(reader))
            try:
                writer.write(head.encode())
                while not listening.done():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.wait([listening], timeout=1.0)
            finally:
                listening.cancel()

        await self._meet(act)

    async def _pour(self, head: bytes, *pieces: bytes, listen: bool = True) -> None:
        """Writes the pieces, the last one again and again."""

        async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            listening = asyncio.create_task(self._told(reader) if listen else asyncio.sleep(1e6))
            try:
                writer.write(head)
                for number in count():
                    if listening.done():
                        return
                    piece = pieces[min(number, len(pieces) - 1)]
                    writer.write(piece)
                    self.counted["bytes"] += len(piece)
                    await writer.drain()
                    due = self._began + self.counted["bytes"] / LINE
                    await asyncio.sleep(max(0.0, due - time.monotonic()) if piece else 0.05)
            finally:
                listening.cancel()

        await self._meet(act)

    async def _told(self, reader: asyncio.StreamReader) -> None:
        """Returns when the server ends the connection; counts a refusal that comes before."""
        with suppress(OSError):
            first = await reader.read(1 << 16)
            if first.startswith(b"HTTP/1.1 "):
                self.counted[first[9:12].decode()] += 1
                return
            while first:
                first = await reader.read(1 << 16)
        self.counted["ended by the server"] += 1


ATTACKS = [name for name in vars(Attack) if not name.startswith("_")]


def main(name: str, address: str, seconds: str, nice: str = "19") -> None:
    os.nice(int(nice))
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attack = Attack(address, float(seconds))
    with suppress(TimeoutError):
        asyncio.run(getattr(attack, name)())
    print(json.dumps(attack.counted))


if __name__ == "__main__":
    main(*sys.argv[1:])
