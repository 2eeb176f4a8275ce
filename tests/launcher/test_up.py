"""`mien up` and the commands around it: started, found, told off, killed, started again, stopped."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import psutil
import pytest

from serving.probe import is_serving

READY_WITHIN = 60.0  # seconds
STOPPED_WITHIN = 10.0  # seconds


class Up:
    """A mesh of one process of each kind, started from a folder whose own `embedder` must not count."""

    def __init__(self, data: Path) -> None:
        self.data = data
        somewhere = data.parent / "somewhere"
        (somewhere / "embedder").mkdir(parents=True, exist_ok=True)
        (somewhere / "embedder/__init__.py").write_text("raise SystemExit('the wrong embedder')")
        self._log = data.parent / "log"
        with self._log.open("w") as log:
            command = [sys.executable, "-P", "-m", "mien", "up", "--port", "0", "--data", str(data)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=somewhere)
        try:
            self._await_ready()
        except BaseException:
            self.process.kill()  # its children die with it
            self.process.wait()
            raise

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while "mien is ready: http://127.0.0.1:" not in self.log:
            assert time.monotonic() < deadline, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.05)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.data / "mesh.json").read_text())  # type: ignore[no-any-return]

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def mien(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mien", *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def gone(family: list[psutil.Process], within: float) -> bool:
    return not psutil.wait_procs(family, within)[1]


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    assert mien("models", "pull").returncode == 0  # before any clock runs


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    home = Path(mkdtemp(prefix="mien-test-"))
    yield home / "data"
    shutil.rmtree(home)


def test_a_mesh_from_its_start_to_its_end(data: Path) -> None:
    up = Up(data)
    family = up.family()
    try:
        # All of it serves, each process and both listeners of Envoy.
        assert up.state["pid"] == up.process.pid
        for name in ("embedder-1", "classifier-1", "envoy", "internal"):
            assert is_serving(f"127.0.0.1:{up.state['ports'][name]}"), name
        assert "the wrong embedder" not in up.log
        assert "\x1b" not in up.log, "colours, though it is no terminal"

        second = mien("up", "--port", "0", "--data", str(data))
        assert second.returncode == 1
        assert f"process {up.process.pid}" in second.stderr
        assert f"port {up.state['port']}" in second.stderr

        other = mien("up", "--port", str(up.state["port"]), "--data", str(data.parent / "other"))
        assert other.returncode == 1
        assert str(up.state["port"]) in other.stderr
        assert "--port" in other.stderr
        assert not (data.parent / "other/postgres").exists(), "something was started all the same"

        made = mien("services", "create", "friends", "--type", "recognition", "--data", str(data))
        assert str(UUID(made.stdout.strip())) == made.stdout.strip()
        family = up.family()
    finally:
        told = time.monotonic()
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(STOPPED_WITHIN) == 0, up.log
    assert time.monotonic() - told < STOPPED_WITHIN
    assert gone(family, 0.5)
    assert not (data / "mesh.json").exists()


def test_services_are_made_and_listed_while_no_mesh_runs(data: Path) -> None:
    told = ("--data", str(data))
    made = mien("services", "create", "stopped", "--type", "detection", "--json", *told)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["type"] == "detection"
    listed = mien("services", "list", *told)
    assert "friends" in listed.stdout
    assert "stopped" in listed.stdout
    names = [service["name"] for service in json.loads(mien("services", "list", "--json", *told).stdout)]
    assert names == ["friends", "stopped"]
    twice = mien("services", "create", "stopped", "--type", "detection", *told)
    assert twice.returncode == 1
    assert "choose another name" in twice.stderr
    unknown = mien("users", "reset", "nobody@example.org", *told)
    assert unknown.returncode == 1
    assert "no account has the e-mail nobody@example.org" in unknown.stderr
    left = [
        each for each in psutil.process_iter(["cmdline"]) if str(data) in " ".join(each.info["cmdline"] or [])
    ]
    assert left == []


@pytest.mark.parametrize("words", [("galleries", "list"), ("users", "list"), ("keys", "list", "friends")])
def test_a_folder_that_is_misspelt_becomes_no_mesh(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = mien(*words, "--data", str(tmp_path / "misspelt"), DATABASE_URL="postgresql://nowhere")
    assert done.returncode == 1
    assert "there is no mesh in" in done.stderr
    assert not (tmp_path / "misspelt" / "postgres").exists()


def test_a_launcher_that_is_killed_leaves_no_process_and_the_next_one_starts(data: Path) -> None:
    up = Up(data)
    family = up.family()
    up.process.kill()
    up.process.wait()
    again = Up(data)  # at once, while the old processes may still be leaving
    try:
        assert gone(family, STOPPED_WITHIN)
        assert "friends" in mien("services", "list", "--data", str(data)).stdout
    finally:
        last = again.family()
        again.process.terminate()
        assert again.process.wait(STOPPED_WITHIN) == 0, again.log
    assert gone(last, 0.5)


def test_it_stops_at_once_though_the_database_cannot_start(data: Path) -> None:
    broken = data.parent / "broken"
    (broken / "postgres/data").mkdir(parents=True)
    (broken / "postgres/data/PG_VERSION").write_text("18")
    (broken / "postgres/password").write_text("none")
    command = [sys.executable, "-m", "mien", "up", "--port", "0", "--data", str(broken)]
    up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert up.stdout
    while "starts again" not in up.stdout.readline():
        assert up.poll() is None
    up.terminate()
    assert up.wait(5) == 0
    up.stdout.close()


def test_a_port_that_is_taken_is_named_before_anything_starts(data: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        refused = mien("up", "--port", str(port), "--data", str(data.parent / "other"))
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_is_not_there_is_a_plain_sentence() -> None:
    refused = mien("services", "list", DATABASE_URL="postgresql://mien:secret@127.0.0.1:1/mien")
    assert refused.returncode == 1
    assert "the database cannot be reached" in refused.stderr
    assert "secret" not in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("setting", ["EMBEDDER_THREDS", "CLASSIFIER_LISTENN"])
def test_a_setting_that_is_none_ends_it_at_once(tmp_path: Path, setting: str) -> None:
    began = time.monotonic()
    refused = mien("up", "--port", "0", "--data", str(tmp_path), **{setting: "1"})
    assert refused.returncode == 1
    assert f"{setting}: no such setting" in refused.stdout
    assert "cannot run as it is set" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert time.monotonic() - began < STOPPED_WITHIN + READY_WITHIN / 2


def test_devices_go_round_among_embedders(tmp_path: Path) -> None:
    """The second is refused its own, which it would know nothing of had it got the first's."""
    order = ("up", "--port", "0", "--data", str(tmp_path), "--embedders", "2")
    refused = mien(*order, EMBEDDER_DEVICE="cpu,nowhere")
    assert refused.returncode == 1
    assert "EMBEDDER_DEVICE='nowhere': there are cpu, cuda, and cuda:1 and so on" in refused.stdout
    assert "embedder-2 cannot run as it is set" in refused.stderr


def test_without_a_network_a_pack_is_asked_for_in_a_plain_sentence(tmp_path: Path) -> None:
    for index in ("http://127.0.0.1:9/simple", "junk"):
        refused = mien("models", "pull", MIEN_INDEX_URL=index, MIEN_CACHE=str(tmp_path))
        assert refused.returncode == 1
        assert "MIEN_INDEX_URL" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_folder_without_a_mesh_has_no_services(tmp_path: Path) -> None:
    refused = mien("services", "list", "--data", str(tmp_path / "typo"))
    assert refused.returncode == 1
    assert "there is no mesh in" in refused.stderr
    assert not (tmp_path / "typo/postgres").exists()


def test_help_is_there_for_every_command_and_imports_nothing_slow() -> None:
    top = mien("--help", NO_COLOR="1").stdout
    for command in ("up", "status", "demo", "gateway", "services", "models"):
        assert command in top
    imported = subprocess.run(
        [sys.executable, "-c", "import sys, mien.cli.commands; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert not {"numpy", "onnxruntime", "grpc", "psycopg", "cv2"} & set(imported)
