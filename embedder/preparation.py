"""Brings the networks of a pack into the cache, once, in the form that ONNX Runtime reads."""

import hashlib
from pathlib import Path

from embedder.fetching.archives import fetch, place, plainly
from embedder.fetching.cache import alone, arriving
from embedder.fetching.progress import Progress, silent
from embedder.fetching.sources import Source
from embedder.pack import Network, Pack
from embedder.terms import require_accepted

# Raised when embedder.conversion comes to write something else: what was converted before is
# then converted anew.
CONVERSION = 1


def prepare(pack: Pack, cache: Path, progress: Progress = silent) -> dict[str, Path]:
    """Fetches and converts what is not in `cache` yet: the file of each of `Pack.networks`.

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
    return ready


def prepared(pack: Pack, cache: Path) -> dict[str, Path] | None:
    """What `prepare` answers, if all of it is there; whether it is undamaged is not looked at."""
    ready = {}
    for name, network in pack.networks.items():
        file = place(network.archive, network.member, cache)
        ready[name] = file if network.conversion is None else _target(name, network, cache)
        if not (file.exists() and ready[name].exists()):
            return None
    return ready


def _converted(name: str, network: Network, source: Path, cache: Path, progress: Progress) -> Path:
    if network.conversion is None:
        return source
    target = _target(name, network, cache)
    if not target.exists():
        with plainly(cache), alone(target):
            if not target.exists():
                from embedder.conversion.networks import convert  # needs onnx, which takes a while to import

                size = source.stat().st_size
                progress(f"converting {source.name}", 0, size)
                with arriving(target) as new:
                    convert(network.conversion, source, new, network.intake)
                progress(f"converting {source.name}", size, size)
    return target


def _target(name: str, network: Network, cache: Path) -> Path:
    """Where a network lies once it is converted: in another place if it were converted in another way."""
    how = f"-{hashlib.sha256(repr(network.intake).encode()).hexdigest()[:8]}" if network.intake else ""
    ending = "npz" if network.conversion == "predictor" else "onnx"
    return cache / "converted" / f"{name}-{network.member.sha256[:16]}{how}-v{CONVERSION}.{ending}"
