"""Children of the launcher: started again, stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from mien.launcher.process import Process, User, bound
from serving.settings import UNUSABLE

NOBODY = 65534
SLEEP = ["sleep", "600"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class Said(list[str]):
    def __call__(self, name: str, line: str) -> None:
        self.append(line)


@asynccontextmanager
async def supervised(*command: str, patience: float = 2.0) -> AsyncIterator[tuple[Process, Said]]:
    said = Said()
    process = Process("child", command, said)
    process.start()
    try:
        yield process, said
    finally:
        await process.stop(patience)


async def until(true: Callable[[], object], patience: float = 10.0) -> None:
    async with asyncio.timeout(patience):
        while not true():
            await asyncio.sleep(0.01)


def runs(process: Process, program: str) -> bool:
    """Whether it has become `program`: before that it is Python, on its way."""
    return process.pid is not None and psutil.Process(process.pid).name() == program


async def test_a_killed_child_is_started_again_at_once() -> None:
    async with supervised(*SLEEP) as (process, said):
        await until(lambda: runs(process, "sleep"))
        first, killed = process.pid, time.monotonic()
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: process.pid != first and runs(process, "sleep"))
        assert time.monotonic() - killed < 2
    assert said == ["ended with signal SIGKILL; starts again in 0.1 s"]
    assert process.pid
    assert not psutil.pid_exists(process.pid)


async def test_a_child_that_keeps_dying_is_started_ever_more_seldom() -> None:
    async with supervised("false") as (_, said):
        await until(lambda: len(said) >= 4)
    waits = [line.rpartition(" in ")[2] for line in said]
    assert waits[:4] == ["0.1 s", "0.2 s", "0.4 s", "0.8 s"]


async def test_to_stop_does_not_wait_for_the_next_start() -> None:
    async with supervised("false") as (process, said):
        await until(lambda: len(said) >= 4)
        told = time.monotonic()
        await process.stop(0.5)
        assert time.monotonic() - told < 0.3
    assert not [line for line in said if "killed" in line]


async def test_a_child_that_does_not_want_to_end_is_killed() -> None:
    deaf = "trap '' TERM; echo deaf; while true; do sleep 0.05; done"
    async with supervised("sh", "-c", deaf) as (process, said):
        await until(lambda: "deaf" in said)
        told = time.monotonic()
        await process.stop(0.5)
        assert time.monotonic() - told < 2
    assert said[-1] == "did not end in 0 s and is killed"


async def test_a_terminal_does_not_reach_the_children() -> None:
    async with supervised(*SLEEP) as (process, _):
        await until(lambda: process.pid)
        assert process.pid
        assert os.getsid(process.pid) != os.getsid(0)


async def test_a_line_without_end_does_not_stop_the_stream() -> None:
    long = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after; exec sleep 600"
    async with supervised("sh", "-c", long) as (_, said):
        await until(lambda: "after" in said)


def test_children_die_with_a_launcher_that_is_killed() -> None:
    launcher = launched(SLEEP)
    (child,) = await_children(launcher)
    launcher.kill()
    launcher.wait()
    child.wait(5)


def test_a_child_whose_launcher_is_dead_already_does_not_start(tmp_path: Path) -> None:
    """Between the start of a child and its request to die along, its parent may be gone."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    command = shim(dead.pid, -1, -1, "touch", str(tmp_path / "started"))
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "started").exists()


@as_root
def test_another_user_reaches_what_lies_below_a_folder_of_root(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private/file").write_text("read")
    command = shim(os.getpid(), NOBODY, NOBODY, "sh", "-c", f"id -u; id -G; cat {tmp_path}/private/file")
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(NOBODY), str(NOBODY), "read"]


@as_root
def test_another_user_gets_no_other_right_of_root() -> None:
    command = shim(os.getpid(), NOBODY, NOBODY, "grep", "CapEff", "/proc/self/status")
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout.split()[1], 16) in (0, 1 << 1)  # none, or CAP_DAC_OVERRIDE alone


@as_root
def test_another_user_too_dies_with_a_launcher_that_is_killed() -> None:
    launcher = launched(SLEEP, NOBODY)
    (child,) = await_children(launcher)
    assert child.uids().real == NOBODY
    launcher.kill()
    launcher.wait()
    child.wait(5)


def shim(parent: int, uid: int, gid: int, *command: str) -> list[str]:
    script = Path(__file__).parents[2] / "mien/launcher/child.py"
    settings = [str(each) for each in (parent, int(signal.SIGTERM), uid, gid)]
    return [sys.executable, "-IS", str(script), *settings, *command]


def launched(command: list[str], uid: int = -1) -> "subprocess.Popen[bytes]":
    """A process of its own that supervises `command`."""
    script = (
        "import asyncio\nfrom mien.launcher.process import Process, User\n"
        "async def main():\n"
        f"    Process('child', {command!r}, print, user=User({uid}, {uid})).start()\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    return subprocess.Popen([sys.executable, "-c", script])


def await_children(launcher: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = psutil.Process(launcher.pid).children(recursive=True)
        if [child.name() for child in children] == ["sleep"]:
            return children
        time.sleep(0.02)
    raise TimeoutError


@as_root
def test_who_is_no_longer_root_still_may_run_what_lies_below_a_folder_of_roots(tmp_path: Path) -> None:
    """access(2), by which Postgres looks for its programs, goes by the real user else."""
    program = tmp_path / "private/program"
    program.parent.mkdir(mode=0o700)
    program.write_text("#!/bin/sh")
    program.chmod(0o755)
    code = f"import os, sys; sys.exit(os.getuid() != {NOBODY} or not os.access({str(program)!r}, os.X_OK))"
    command = bound([sys.executable, "-c", code], signal.SIGKILL, User(NOBODY, NOBODY))
    assert subprocess.run(command).returncode == 0


async def test_a_child_that_no_other_start_would_help_is_given_up() -> None:
    given_up: list[str] = []
    said = Said()
    process = Process("child", ["sh", "-c", f"exit {UNUSABLE}"], said, give_up=given_up.append)
    process.start()
    await until(lambda: given_up)
    await process.stop(1)
    assert (given_up, said) == (["child"], [])
