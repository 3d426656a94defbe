"""One running peer a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.started import Started

from goop2.folder.lock import FILE, FolderLockedError, locked

HOLD = """
import sys
from pathlib import Path
from goop2.folder.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_peer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderLockedError, match=rf"process {os.getpid()}.*end it first"), locked(tmp_path):
        pass


def test_a_command_that_holds_the_folder_is_told_from_a_peer(tmp_path: Path) -> None:
    with (
        locked(tmp_path, passing=True),
        pytest.raises(FolderLockedError, match=rf"a command is at work in .* \(process {os.getpid()}\)") as held,
        locked(tmp_path),
    ):
        pass
    assert held.value.passing
    with locked(tmp_path), pytest.raises(FolderLockedError) as held, locked(tmp_path, passing=True):
        pass
    assert not held.value.passing


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with locked(tmp_path):
        assert (tmp_path / FILE).read_text() == f"{os.getpid()}\n"


def test_a_peer_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    with Started[bytes]([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FolderLockedError, match=f"process {holder.pid}"), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    with locked(tmp_path):
        pass


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "precious").write_text("mine")
    (tmp_path / FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(FolderLockedError, match="cannot be made"), locked(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_lock_file_that_is_a_hard_link_locks_and_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "precious").write_text("7 command")
    os.link(tmp_path / "precious", tmp_path / FILE)
    with locked(tmp_path):
        with pytest.raises(FolderLockedError, match=r"a peer runs in .* already:") as held, locked(tmp_path):
            pass
        assert not held.value.passing
    assert (tmp_path / "precious").read_text() == "7 command"
