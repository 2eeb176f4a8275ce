"""Brings the networks of a pack into the cache, once, in the form that ONNX Runtime reads."""

from pathlib import Path

from embedder.fetching.archives import Archive, fetch, plainly
from embedder.fetching.cache import alone, arriving
from embedder.fetching.progress import Progress, silent
from embedder.pack import Network, Pack

# Raised when embedder.conversion comes to write something else: what was converted before is
# then converted anew.
CONVERSION = 1


def prepare(pack: Pack, cache: Path, progress: Progress = silent) -> dict[str, Path]:
    """Fetches and converts what is not in `cache` yet: the file of each of `Pack.networks`.

    Any number of processes may call it at once: one works, the others wait. Raises FetchError.
    """
    by_archive: dict[Archive, list[str]] = {}
    for name, network in pack.networks.items():
        by_archive.setdefault(network.archive, []).append(name)
    ready: dict[str, Path] = {}
    for archive, names in by_archive.items():
        members = [pack.networks[name].member for name in names]
        for name, source in zip(names, fetch(archive, members, cache, progress), strict=True):
            ready[name] = _converted(name, pack.networks[name], source, cache, progress)
    return ready


def _converted(name: str, network: Network, source: Path, cache: Path, progress: Progress) -> Path:
    if network.conversion is None:
        return source
    target = cache / "converted" / f"{name}-{network.member.sha256[:16]}-v{CONVERSION}.onnx"
    if not target.exists():
        with plainly(cache), alone(target):
            if not target.exists():
                from embedder.conversion.networks import convert  # needs onnx, which takes a while to import

                size = source.stat().st_size
                progress(f"converting {source.name}", 0, size)
                with arriving(target) as new:
                    convert(network.conversion, source, new)
                progress(f"converting {source.name}", size, size)
    return target
