"""What a folder remembers of its backup: it is the same writer after a restart, and a copy of it is another."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from goop2.services.backup import state
from goop2.services.backup.state import CheckResult


def test_it_is_the_same_writer_after_a_restart(tmp_path: Path) -> None:
    first = msgspec.structs.replace(state.load(tmp_path), place="file:///a", term=3)
    state.save(tmp_path, first)
    assert state.load(tmp_path) == first


def test_a_copy_of_the_folder_is_another_writer_and_has_no_term(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    first = msgspec.structs.replace(state.load(tmp_path / "one"), term=3)
    state.save(tmp_path / "one", first)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copy = state.load(tmp_path / "two")
    assert (copy.writer != first.writer, copy.term) == (True, 0)


def test_a_folder_that_is_renamed_stays_the_writer(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    first = state.load(tmp_path / "one")
    state.save(tmp_path / "one", first)
    (tmp_path / "one").rename(tmp_path / "two")
    assert state.load(tmp_path / "two").writer == first.writer


def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    state.save(tmp_path, state.load(tmp_path))
    (tmp_path / state.FILE).write_text("{")
    assert state.load(tmp_path).term == 0


def test_the_last_check_is_remembered_beside_it(tmp_path: Path) -> None:
    assert state.last_check(tmp_path) is None
    (tmp_path / "data").mkdir()
    result = CheckResult(at=1.0, problem="it is damaged", seconds=2.0, rows=3)
    state.save_check(tmp_path, result)
    assert state.last_check(tmp_path) == result
