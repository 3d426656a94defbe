"""Which changes the kernel is asked to tell of."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from goop2.scripting import inotify
from goop2.scripting.inotify import Notifications, reports_all_changes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def told(notifications: Notifications) -> bool:
    """Whether there was anything at all to read: that is what wakes a peer up."""
    try:
        return bool(os.read(notifications._descriptor, 65536))
    except BlockingIOError:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a/b/c/d/e/f/lua"
    made.mkdir(parents=True)
    return made


def test_what_comes_and_goes_above_a_folder_wakes_nobody_up(folder: Path, tmp_path: Path) -> None:
    notifications = Notifications([folder])
    for above in (tmp_path, tmp_path / "a", tmp_path / "a/b/c/d/e"):
        (above / "other").write_text("")
        (above / "other").unlink()
    assert not told(notifications)
    (folder / "hello.lua").write_text("")
    assert told(notifications)


@pytest.mark.parametrize("above", ["a", "a/b", "a/b/c/d/e", "a/b/c/d/e/f", "a/b/c/d/e/f/lua"])
def test_a_folder_however_far_above_that_is_renamed_is_told(folder: Path, tmp_path: Path, above: str) -> None:
    notifications = Notifications([folder])
    (tmp_path / above).rename(tmp_path / "away")
    assert told(notifications)


@pytest.mark.parametrize("missing", ["lua", "f/lua"])
def test_a_folder_that_is_not_there_yet_is_told_when_it_comes(tmp_path: Path, missing: str) -> None:
    (tmp_path / "e").mkdir()
    notifications = Notifications([tmp_path / "e" / missing])
    (tmp_path / "e" / missing).mkdir(parents=True)
    assert told(notifications)


def test_a_link_above_that_leads_elsewhere_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    notifications = Notifications([tmp_path / "link/c/d/e/f/lua"])
    (tmp_path / "new").symlink_to(tmp_path / "a")
    (tmp_path / "new").rename(tmp_path / "link")
    assert told(notifications)


def test_only_file_systems_of_this_machine_are_said_to_tell_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not reports_all_changes([tmp_path, Path("/proc")])
    assert reports_all_changes([tmp_path / "not there"])
    monkeypatch.setattr(inotify, "_TOLD_FILE_SYSTEMS", frozenset())
    assert not reports_all_changes([tmp_path])
