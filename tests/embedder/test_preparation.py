"""The model pack: what it says, and how its networks come into the cache."""

import multiprocessing
import shutil
import tomllib
from importlib.resources import files
from pathlib import Path

import onnxruntime
import pytest

from embedder.fetching.cache import default_cache
from embedder.pack import Pack, read_pack
from embedder.pack_errors import PackUnknown
from embedder.preparation import IN_INT8, prepare

CONVERTED = ("centerface", "yunet", "predictor", "recogniser", "mask", IN_INT8)


@pytest.fixture
def cache(networks: dict[str, Path], tmp_path: Path) -> Path:
    """A cache of the published networks, none of them converted yet."""
    for network in read_pack("open").networks.values():
        folder = network.archive.file
        shutil.copytree(default_cache() / folder, tmp_path / folder, dirs_exist_ok=True)
    return tmp_path


def test_the_open_pack_names_its_networks_and_their_licences(pack: Pack) -> None:
    assert (pack.name, pack.detection.kind) == ("open", "yunet+centerface")
    assert set(pack.networks) == {"centerface", "yunet", "predictor", "recogniser", "age", "gender", "mask"}
    assert {network.licence for network in pack.networks.values()} <= {"MIT", "CC0-1.0"}
    assert pack.detection.template.shape == (5, 2)


def test_every_archive_of_a_pack_is_used() -> None:
    told = tomllib.loads((files("embedder") / "packs/open.toml").read_text())
    assert {network["archive"] for network in told["networks"].values()} == set(told["archives"])


def test_an_unknown_pack_is_refused_with_those_there_are() -> None:
    for name in ("nowhere", "samples", "../open", ""):
        with pytest.raises(PackUnknown, match="open"):
            read_pack(name)


def test_networks_take_any_number_of_images_of_any_size(networks: dict[str, Path]) -> None:
    for name, shape in (
        ("centerface", (None, 3, None, None)),
        ("yunet", (None, 3, None, None)),
        ("recogniser", (None, 150, 150, 3)),
    ):
        session = onnxruntime.InferenceSession(networks[name])
        found = session.get_inputs()[0].shape
        assert tuple(None if isinstance(size, str) else size for size in found) == shape


def test_a_network_is_converted_once(pack: Pack, cache: Path) -> None:
    said: list[str] = []
    first = prepare(pack, cache, lambda what, *_: said.append(what))
    written = {name: path.stat().st_mtime_ns for name, path in first.items()}
    assert len(set(said)) == len(CONVERTED)
    said.clear()
    assert prepare(pack, cache, lambda what, *_: said.append(what)) == first
    assert said == []
    assert {name: path.stat().st_mtime_ns for name, path in first.items()} == written


def test_processes_that_start_together_convert_once(pack: Pack, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as processes:
        results = processes.map(converted_by, [cache] * 3)
    assert sorted(name for names in results for name in names) == sorted(CONVERTED)
    assert not list(cache.rglob("*.new"))


def converted_by(cache: Path) -> list[str]:
    """What this process had to convert."""
    said: set[str] = set()
    pack = read_pack("open")
    prepare(pack, cache, lambda what, *_: said.add(what))
    sources = {
        f"converting {Path(network.member.path).name}": name for name, network in pack.networks.items()
    }
    sources["rounding the recogniser to int8"] = IN_INT8
    return [sources[what] for what in said]


def test_a_full_cache_may_be_read_only(pack: Pack, networks: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(default_cache(), tmp_path / "cache", ignore=shutil.ignore_patterns("*.lock", "*.part"))
    prepare(pack, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.lock"))  # nothing was locked, so nothing was written
