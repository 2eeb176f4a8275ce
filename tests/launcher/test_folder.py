"""The data folder of a mesh: one holder, and a state that others find."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mien.launcher.folder import Folder, FolderError

STATE = {"port": 8123, "database_url": "postgresql://u:secret@127.0.0.1:1/d", "ports": {"envoy": 8123}}


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "mesh")
    with folder.held(), folder.running(STATE):
        with pytest.raises(FolderError) as refused, Folder(folder.path).held():
            pass
        state = folder.state()
    assert state
    for told in (str(folder.path), "port 8123", f"process {state['pid']}", state["since"], "--data"):
        assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_holder_that_is_not_ready_is_named_too(tmp_path: Path) -> None:
    with Folder(tmp_path).held(), pytest.raises(FolderError, match="try again"), Folder(tmp_path).held():
        pass


def test_the_state_is_for_its_owner_alone_and_gone_afterwards(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.held(), folder.running(STATE):
        assert stat.S_IMODE((tmp_path / "mesh.json").stat().st_mode) == 0o600
        found = folder.state()
        assert found
        assert found["database_url"] == STATE["database_url"]
    assert folder.state() is None


def test_a_holder_that_was_killed_holds_nothing_and_its_state_does_not_count(tmp_path: Path) -> None:
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom mien.launcher.folder import Folder\n"
        f"folder = Folder(Path({str(tmp_path)!r}))\n"
        f"with folder.held(), folder.running({STATE!r}):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert (tmp_path / "mesh.json").exists()
    assert Folder(tmp_path).state() is None
    with Folder(tmp_path).held():
        assert not (tmp_path / "mesh.json").exists()


def test_a_folder_that_cannot_be_made_is_a_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="--data"), Folder(tmp_path / "file" / "mesh").held():
        pass
