"""Decodes damaged files: python -m tests.embedder.fuzz COUNT [WAY ...]

Each must become an image or be refused, within seconds and without much memory. The work is done in
processes of their own, so that one that dies is a finding, told with the seed of the file: it is
tests.embedder.damage.damaged(WAY, SEED).
"""

import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embedder.images import decode
from serving.faults import ImageTooLarge, ImageUnreadable
from tests.embedder.damage import damaged, sound

ROOT = Path(__file__).parents[2]
MAX_PIXELS = 1_000_000
HALVED = 16  # pixels of the longer side that will do: JPEGs are decoded halved, too
SECONDS = 20  # for a file, on a machine that has other work too
MEMORY = 150 << 10  # KiB that files may take on top of what a process takes that has read good ones
SPACE = 8 << 30  # bytes of addresses

_PROGRESS = struct.Struct("qqq")


class Outcome(NamedTuple):
    """What became of files."""

    images: int
    refused: int
    findings: list[str]


def run(way: str, count: int) -> Outcome:
    """Decodes so many damaged files of those that are decoded this way."""
    images = refused = begin = 0
    findings: list[str] = []
    with tempfile.TemporaryFile() as progress:
        while begin < count:
            progress.truncate(0)
            command = [sys.executable, "-m", "tests.embedder.fuzz", "work", way, str(begin), str(count)]
            descriptor = progress.fileno()
            process = subprocess.Popen(
                [*command, str(descriptor)], cwd=ROOT, pass_fds=[descriptor], stderr=subprocess.PIPE
            )
            _, told = process.communicate()
            if not os.fstat(descriptor).st_size:
                raise RuntimeError(told.decode())
            seed, *numbers = _PROGRESS.unpack(os.pread(descriptor, _PROGRESS.size, 0))
            images, refused = images + numbers[0], refused + numbers[1]
            if process.returncode:
                how = told.decode(errors="replace").strip().split("\n")[-1]
                if process.returncode < 0:
                    how = signal.Signals(-process.returncode).name
                findings.append(f"{way} {seed}: {how}")
            begin = seed + 1
    return Outcome(images, refused, findings)


def work(way: str, begin: int, end: int, progress: int) -> None:
    """Decodes files until one is a finding, which ends the process."""
    warnings.simplefilter("ignore")  # as in the process that serves
    for file in sound()[way]:
        decode(file, MAX_PIXELS)
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + MEMORY
    images = refused = 0
    for seed in range(begin, end):
        os.pwrite(progress, _PROGRESS.pack(seed, images, refused), 0)
        data = damaged(way, seed)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)  # then SIGALRM ends the process
        try:
            decode(data, MAX_PIXELS, HALVED)
            pixels = decode(data, MAX_PIXELS).pixels
        except (ImageUnreadable, ImageTooLarge) as fault:
            refused += 1
            if isinstance(fault.__cause__, MemoryError):
                raise SystemExit("a decoder asked for more memory than there may be") from None
        else:
            images += 1
            rows, columns, colours = pixels.shape
            if not (0 < rows * columns <= MAX_PIXELS and colours == 3 and pixels.dtype == np.uint8):
                raise SystemExit(f"decoded to {pixels.shape} {pixels.dtype}")
            pixels.sum()  # looks at each
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > memory:
            raise SystemExit("much memory was taken")
    os.pwrite(progress, _PROGRESS.pack(end - 1, images, refused), 0)


def main(count: int, ways: list[str]) -> int:
    found = 0
    for way in ways or sound():
        began = time.perf_counter()
        images, refused, findings = run(way, count)
        print(
            f"{way}: {images} images, {refused} refused, {len(findings)} findings, "
            f"{time.perf_counter() - began:.0f} s",
            *findings,
            sep="\n  ",
            flush=True,
        )
        found += len(findings)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        sys.exit(main(int(sys.argv[1]), sys.argv[2:]) > 0)
