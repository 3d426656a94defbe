"""What an editor does to script files: whole or not at all, only where scripts lie, nothing overwritten unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.config import load
from goop2.folder.script_changes import NEW, TEXT_MAX_BYTES, Kind, ScriptChangeError, ScriptConflictError, ScriptFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peer/site/lua").mkdir(parents=True)
    (tmp_path / "peer/goop.json").write_text("{}")
    (tmp_path / "peer/site/lua/hello.lua").write_text("-- hello")
    return tmp_path / "peer"


@pytest.fixture
def files(folder: Path) -> ScriptFiles:
    settings = load(folder, {}).settings
    return ScriptFiles(folder, settings.lua.script_dir, settings.homes)


def test_a_save_takes_the_place_of_what_was_read(files: ScriptFiles, folder: Path) -> None:
    read = files.read("command", "hello")
    saved = files.save("command", "hello", "-- later ä", read.version)
    assert (folder / "site/lua/hello.lua").read_text() == "-- later ä"
    assert files.read("command", "hello") == saved
    assert [each.name for each in (folder / "site/lua").iterdir()] == ["hello.lua"]


def test_what_was_changed_meanwhile_is_not_overwritten(files: ScriptFiles, folder: Path) -> None:
    read = files.read("command", "hello")
    (folder / "site/lua/hello.lua").write_text("-- by an editor")
    with pytest.raises(ScriptConflictError):
        files.save("command", "hello", "-- mine", read.version)
    with pytest.raises(ScriptConflictError):
        files.delete("command", "hello", read.version)
    assert (folder / "site/lua/hello.lua").read_text() == "-- by an editor"


@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_script_is_made_renamed_and_removed(files: ScriptFiles, folder: Path, kind: Kind) -> None:
    where = folder / ("site/lua" if kind == "command" else "site/lua/functions")
    assert files.create(kind, "new").text == NEW[kind].replace("!NAME", "!new")
    with pytest.raises(ScriptChangeError, match="already"):
        files.create(kind, "new")
    files.rename(kind, "new", "newer")
    assert not (where / "new.lua").exists()
    files.delete(kind, "newer", files.read(kind, "newer").version)
    assert not (where / "newer.lua").exists()
    with pytest.raises(ScriptChangeError, match="no script"):
        files.read(kind, "newer")


def test_a_rename_overwrites_nobody(files: ScriptFiles, folder: Path) -> None:
    files.create("command", "other")
    with pytest.raises(ScriptChangeError, match="already"):
        files.rename("command", "other", "hello")
    assert (folder / "site/lua/hello.lua").read_text() == "-- hello"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", ".hidden", "x" * 65, "a b", "functions/x", "ä", "a\0"])
def test_a_name_that_is_none_is_refused(files: ScriptFiles, name: str) -> None:
    for kind in ("command", "function"):
        with pytest.raises(ScriptChangeError, match="letters"):
            files.create(kind, name)


def test_nothing_is_read_or_written_outside(files: ScriptFiles, folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.lua").write_text("secret")
    (folder / "site/lua/link.lua").symlink_to(outside / "secret.lua")
    with pytest.raises(ScriptChangeError, match="leads out"):
        files.read("command", "link")
    (folder / "site/lua/functions").symlink_to(outside)
    with pytest.raises(ScriptChangeError, match="leads out"):
        files.create("function", "new")
    assert sorted(each.name for each in outside.iterdir()) == ["secret.lua"]
    assert (outside / "secret.lua").read_text() == "secret"


def test_too_large_or_not_text_is_told(files: ScriptFiles, folder: Path) -> None:
    with pytest.raises(ScriptChangeError, match="the most is"):
        files.save("command", "hello", "x" * (TEXT_MAX_BYTES + 1), files.read("command", "hello").version)
    (folder / "site/lua/hello.lua").write_bytes(b"\xff\xfe")
    with pytest.raises(ScriptChangeError, match="not UTF-8"):
        files.read("command", "hello")
