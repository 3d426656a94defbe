"""Files replaced together: whatever step is the last, what was there can be put back, and what counts stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goop2.folder import file_switch
from goop2.folder.file_switch import FileSwitch, ForeignFileError, Journal, SwitchError, carry_out, end, put_back, read_journal


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and "data" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture
def begun(tmp_path: Path) -> Journal:
    (tmp_path / "site/css").mkdir(parents=True)
    for name in ("index.html", "old.html", "css/a.css"):
        (tmp_path / "site" / name).write_text(f"old {name}")
    switch = FileSwitch(tmp_path)
    switch.replace("site/index.html", b"new")
    switch.replace("site/old.html", None)
    switch.replace("site/css", {"b.css": b"new", "more/c.css": b"new"})
    switch.replace("schemas/a.json", b"new")
    return switch.begin(None, {"seed": True})


OLD = {"site/index.html": "old index.html", "site/old.html": "old old.html", "site/css/a.css": "old css/a.css"}
NEW = {"site/index.html": "new", "site/css/b.css": "new", "site/css/more/c.css": "new", "schemas/a.json": "new"}


def test_nothing_moves_before_the_journal_is_there(tmp_path: Path, begun: Journal) -> None:
    assert content(tmp_path) == OLD
    assert read_journal(tmp_path) == begun
    carry_out(tmp_path, begun)
    assert content(tmp_path) == NEW
    end(tmp_path, (begun.id,))
    assert read_journal(tmp_path) is None
    assert (tmp_path / begun.moves[0].old).read_text() == "old index.html"


@pytest.mark.parametrize("steps", range(7))
def test_after_any_step_everything_can_be_put_back(tmp_path: Path, begun: Journal, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0
    rename = Path.rename

    def counted(path: Path, target: Path) -> Path:
        nonlocal done
        if done == steps:
            raise KeyboardInterrupt
        done += 1
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", counted)
    if steps < 6:
        with pytest.raises(KeyboardInterrupt):
            carry_out(tmp_path, begun)
    else:
        carry_out(tmp_path, begun)
    monkeypatch.undo()
    put_back(tmp_path, begun)
    assert content(tmp_path) == OLD
    put_back(tmp_path, begun)  # who is killed in the middle of that does it again
    assert content(tmp_path) == OLD


def test_another_switch_brings_what_the_first_has_moved(tmp_path: Path, begun: Journal) -> None:
    carry_out(tmp_path, begun)
    back = FileSwitch(tmp_path)
    for move in begun.moves:
        back.bring(move.place, move.old)
    carry_out(tmp_path, back.begin(None, {}))
    assert content(tmp_path) == OLD


def test_what_cannot_be_moved_is_said_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/a").write_text("old")
    switch = FileSwitch(tmp_path)
    switch.replace("site/a", b"new")

    def other_disk(_path: Path, _target: Path) -> Path:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", other_disk)
    with pytest.raises(SwitchError, match="different disks"):
        switch.begin(None, {})
    assert (read_journal(tmp_path), content(tmp_path)) == (None, {"site/a": "old"})


def test_a_journal_that_somebody_else_has_written_is_none(tmp_path: Path) -> None:
    """It came with the folder, and would have the next command move files to wherever it says."""
    (tmp_path / file_switch.WORK).mkdir(parents=True)
    moves = [{"place": "../stolen", "old": "site/index.html", "new": None}]
    journal = json.dumps({"id": "a", "moves": moves, "settings": None, "later": {}})
    for content in ("{", journal, json.dumps({"seal": "0" * 64, "text": journal}), json.dumps({"seal": 1, "text": 2}), "[]"):
        (tmp_path / file_switch.JOURNAL).write_text(content)
        with pytest.raises(ForeignFileError, match="not written by this user"):
            read_journal(tmp_path)


def test_nothing_is_moved_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "peer/data").mkdir(parents=True)
    (tmp_path / "peer/data/templates").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SwitchError, match="is a link"):
        FileSwitch(tmp_path / "peer").replace("site/a", b"new")
    end(tmp_path / "peer")
    assert (tmp_path / "elsewhere").is_dir()
