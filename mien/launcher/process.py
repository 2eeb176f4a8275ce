"""One child process: started, listened to, started again when it dies, and stopped."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import NamedTuple

from serving.settings import UNUSABLE

SETTLED = 30.0  # seconds after which a process that dies has no past
_BACK_OFF = 0.1, 5.0  # seconds before it is started again, doubled with each death in a row

# Takes the name of a process and a line of its log.
Say = Callable[[str, str], None]


class User(NamedTuple):
    uid: int
    gid: int


MYSELF = User(-1, -1)


def bound(command: Sequence[str], death_signal: signal.Signals, user: User) -> list[str]:
    """The command, run as `user`, that gets `death_signal` when this process dies, however it dies."""
    shim = [sys.executable, "-IS", str(files("mien.launcher") / "child.py")]
    return [*shim, *(str(int(each)) for each in (os.getpid(), death_signal, *user)), *command]


@dataclass
class Process:
    """A program under supervision. Its own session keeps the terminal's Ctrl-C from it."""

    name: str
    command: Sequence[str]
    say: Say
    environment: Mapping[str, str] = field(default_factory=dict)
    user: User = MYSELF
    stop_signal: signal.Signals = signal.SIGTERM
    give_up: Callable[[str], None] = lambda name: None  # called instead of a start that would not help

    def __post_init__(self) -> None:
        self.pid: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._told_to_stop = asyncio.Event()
        self._supervising: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._supervising = asyncio.create_task(self._supervise())

    async def stop(self, patience: float) -> None:
        """Asks it to end; after `patience` seconds it is killed."""
        self._told_to_stop.set()
        if self._process and self._process.returncode is None:
            self._process.send_signal(self.stop_signal)
        if self._supervising:
            try:
                await asyncio.wait_for(asyncio.shield(self._supervising), patience)
            except TimeoutError:
                self.say(self.name, f"did not end in {patience:.0f} s and is killed")
                if self._process and self._process.returncode is None:
                    self._process.kill()
                await self._supervising

    async def _supervise(self) -> None:
        wait = _BACK_OFF[0]
        while not self._told_to_stop.is_set():
            started = time.monotonic()
            code = await self._run()
            if self._told_to_stop.is_set():
                return
            if code == UNUSABLE:
                self.give_up(self.name)
                return
            if time.monotonic() - started > SETTLED:
                wait = _BACK_OFF[0]
            self.say(self.name, f"ended with {_told(code)}; starts again in {wait:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told_to_stop.wait(), wait)
            wait = min(2 * wait, _BACK_OFF[1])

    async def _run(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *bound(self.command, self.stop_signal, self.user),
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=1 << 20,
        )
        self.pid = self._process.pid
        if self._told_to_stop.is_set():  # told to stop while it was being started
            self._process.send_signal(self.stop_signal)
        listening = asyncio.create_task(self._listen(self._process))
        code = await self._process.wait()
        # A grandchild may hold the pipe open; what the process itself said has been read by then.
        await asyncio.wait([listening], timeout=0.2)
        listening.cancel()
        return code

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the limit: not a line for people
                continue
            if not line:
                return
            self.say(self.name, line.decode(errors="replace").rstrip())


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
