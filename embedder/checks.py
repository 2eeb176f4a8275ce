"""Looks whether a model pack in the cache can do its work."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embedder.fetching.archives import place
from embedder.fetching.downloading import has_hash
from embedder.networks import Networks, load
from embedder.pack import Pack
from embedder.preparation import prepared
from embedder.terms import accepted

NEAR = 1e-3  # how far an embedding may be from what it should be: it is of norm 1


class Finding(NamedTuple):
    what: str
    wrong: str = ""  # and what to do; nothing if all is well


def examine(pack: Pack, cache: Path, called: str) -> Iterator[Finding]:
    """What there is to say of a pack that commands call `called`: its files, and what its networks do."""
    again = f"run: mien models pull {called}"
    if pack.terms:
        yield Finding(f"terms: {pack.terms.says}", "" if accepted(pack, cache) else f"not accepted; {again}")
    files = {place(each.archive, each.member, cache): each.member.sha256 for each in pack.networks.values()}
    good = True
    for path, sha256 in files.items():
        wrong = "" if has_hash(path, sha256) else f"{'damaged' if path.exists() else 'not fetched'}; {again}"
        good = good and not wrong
        yield Finding(str(path), wrong)
    ready = prepared(pack, cache)
    if good and ready is None:
        yield Finding("networks as ONNX Runtime reads them", f"not made yet; {again}")
    if good and ready:
        yield from _at_work(pack, ready)


def _at_work(pack: Pack, ready: dict[str, Path]) -> Iterator[Finding]:
    try:
        networks = load(pack, ready)
    except Exception as error:  # those of ONNX Runtime have no class in common
        told = str(error).splitlines()[0]
        yield Finding("networks load", f"{told}; remove {next(iter(ready.values())).parent} and pull again")
        return
    yield Finding("networks load")
    for what, works in _trials(pack, networks):
        yield Finding(what, "" if works else "it does not: this pack is not one to use")


def _trials(pack: Pack, networks: Networks) -> Iterator[tuple[str, bool]]:
    size = pack.chip_size
    nothing = networks.detector.find(np.zeros((480, 640, 3), np.uint8), pack.detection.min_score)
    yield "the detector finds no face in a black image", not len(nothing.scores)
    chips = list(np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8))
    rows = np.array(networks.recogniser.look(chips))
    fits = rows.shape == (3, pack.dimension) and bool(np.abs(np.linalg.norm(rows, axis=1) - 1).max() < NEAR)
    yield f"the recogniser makes embeddings of {pack.dimension} numbers and norm 1", fits
    alone = np.array([networks.recogniser.look([chip])[0] for chip in chips])
    yield "they are the same for one face as for several", bool(np.abs(rows - alone).max() < NEAR)
    for name, reader in (("age", networks.age), ("gender", networks.gender), ("mask", networks.mask)):
        if reader:
            chip = np.zeros((reader.chip_size, reader.chip_size, 3), np.uint8)
            yield f"the network of {name} answers", len(reader.look([chip, chip])) == 2
