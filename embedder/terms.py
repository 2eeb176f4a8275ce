"""The terms that some networks come with, and that somebody here has accepted them."""

from pathlib import Path

from embedder.fetching.archives import plainly
from embedder.fetching.cache import alone, arriving
from embedder.pack import Pack
from embedder.pack_errors import TermsNotAccepted


def accepted(pack: Pack, cache: Path) -> bool:
    """Whether these very terms have been accepted, or there are none."""
    try:
        return pack.terms is None or _record(pack, cache).read_text() == _text(pack)
    except FileNotFoundError:
        return False


def accept(pack: Pack, cache: Path) -> None:
    """Writes down, beside the networks, that the terms were accepted. Raises FetchError."""
    record = _record(pack, cache)
    with plainly(cache), alone(record), arriving(record) as new:
        new.write_text(_text(pack))


def require_accepted(pack: Pack, cache: Path) -> None:
    """Raises TermsNotAccepted."""
    if pack.terms and not accepted(pack, cache):
        raise TermsNotAccepted(
            f"{pack.name}: {pack.terms.says} ({pack.terms.url}); "
            f"to accept that, run: mien models pull {pack.name} --accept-licence"
        )


def _record(pack: Pack, cache: Path) -> Path:
    return cache / "accepted" / f"{pack.name}.txt"


def _text(pack: Pack) -> str:
    return f"{pack.terms.says}\n{pack.terms.url}\n" if pack.terms else ""
