"""Brings the networks of a pack into the cache, once, in the form that ONNX Runtime reads."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from embedder.conversion.ranges import read_ranges
from embedder.fetching.archives import fetch, place, plainly
from embedder.fetching.cache import alone, arriving
from embedder.fetching.progress import Progress, silent
from embedder.fetching.sources import Source
from embedder.pack import Network, Pack
from embedder.terms import require_accepted

# Raised when embedder.conversion comes to write something else: what was converted before is
# then converted anew.
CONVERSION = 2

# What `prepare` calls the smaller forms of it.
IN_FLOAT16, IN_INT8 = "recogniser in float16", "recogniser in int8"


def prepare(pack: Pack, cache: Path, progress: Progress = silent, *, gpu: bool = False) -> dict[str, Path]:
    """Fetches and converts what is not in `cache` yet: the file of each of `Pack.networks`.

    Of the recogniser also the form that may be quicker: for a GPU IN_FLOAT16, for a CPU IN_INT8 if the pack
    has the ranges for it.
    Any number of processes may call it at once: one works, the others wait. Raises FetchError,
    TermsNotAccepted, and PackInvalid for a network of the user's own.
    """
    require_accepted(pack, cache)
    by_source: dict[Source, list[str]] = {}
    for name, network in pack.networks.items():
        by_source.setdefault(network.archive, []).append(name)
    ready: dict[str, Path] = {}
    for source, names in by_source.items():
        members = [pack.networks[name].member for name in names]
        for name, file in zip(names, fetch(source, members, cache, progress), strict=True):
            ready[name] = _converted(name, pack.networks[name], file, cache, progress)
    if gpu:
        ready[IN_FLOAT16] = _halved(ready["recogniser"], cache, progress)
    elif ranges := pack.networks["recogniser"].ranges:
        ready[IN_INT8] = _quantised(ranges, ready["recogniser"], cache, progress)
    return ready


def prepared(pack: Pack, cache: Path) -> dict[str, Path] | None:
    """What `prepare` answers, if all of it is there; whether it is undamaged is not looked at."""
    ready = {}
    for name, network in pack.networks.items():
        file = place(network.archive, network.member, cache)
        ready[name] = file if network.conversion is None else _target(name, network, cache)
        if not file.exists():
            return None
    if ranges := pack.networks["recogniser"].ranges:
        ready[IN_INT8] = _in_int8(ready["recogniser"], ranges)
    return ready if all(file.exists() for file in ready.values()) else None


def _converted(name: str, network: Network, source: Path, cache: Path, progress: Progress) -> Path:
    kind = network.conversion
    if kind is None:
        return source

    def make(new: Path) -> None:
        from embedder.conversion.networks import convert  # needs onnx, which takes a while to import

        convert(kind, source, new, network.intake)

    what = f"converting {source.name}", source.stat().st_size
    return _made(_target(name, network, cache), make, cache, what, progress)


def _quantised(ranges: str, source: Path, cache: Path, progress: Progress) -> Path:
    def make(new: Path) -> None:
        from embedder.conversion.quantisation import quantise

        quantise(source, new, read_ranges(ranges))

    what = "rounding the recogniser to int8", source.stat().st_size
    return _made(_in_int8(source, ranges), make, cache, what, progress)


def _halved(source: Path, cache: Path, progress: Progress) -> Path:
    def make(new: Path) -> None:
        from embedder.conversion.half import halve

        halve(source, new)

    what = "rounding the recogniser to float16", source.stat().st_size
    return _made(source.with_stem(f"{source.stem}-float16"), make, cache, what, progress)


def _made(
    target: Path, make: Callable[[Path], None], cache: Path, what: tuple[str, int], progress: Progress
) -> Path:
    """`target`, made if it is not there. Progress tells what that is called, and how large its source is."""
    if not target.exists():
        with plainly(cache), alone(target):
            if not target.exists():
                name, size = what
                progress(name, 0, size)
                with arriving(target) as new:
                    make(new)
                progress(name, size, size)
    return target


def _target(name: str, network: Network, cache: Path) -> Path:
    """Where a network lies once it is converted: in another place if it were converted in another way."""
    how = f"-{_mark(network.intake)}" if network.intake else ""
    ending = "npz" if network.conversion == "predictor" else "onnx"
    return cache / "converted" / f"{name}-{network.member.sha256[:16]}{how}-v{CONVERSION}.{ending}"


def _in_int8(float32: Path, ranges: str) -> Path:
    """Where that form of a converted network lies: in another place if the ranges were others."""
    return float32.with_stem(f"{float32.stem}-int8-{_mark(read_ranges(ranges))}")


def _mark(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]
