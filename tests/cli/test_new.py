"""`goop2 new`: each kind of file works as it is made, and nothing that is there is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import goop2

from goop2.storage.schema_declarations import FOLDER


def test_each_kind_of_file_works_as_it_is_made(folder: Path) -> None:
    made = [goop2("new", folder, kind, "notes").stdout for kind in ("command", "function", "page", "table", "test")]
    places = ["site/lua/notes.lua", "site/lua/functions/notes.lua", "site/notes.html", f"{FOLDER}/notes.json", "tests/notes_test.lua"]
    assert made == [f"made  {folder}/{place}\n" for place in places]
    assert goop2("lua", "chat", folder, "!notes Ann").stdout == "Hello, Ann!\n"
    assert goop2("lua", "chat", folder, "!notes").stdout == "Whom shall I greet? !notes Alice\n"
    assert json.loads(goop2("lua", "call", folder, "notes", '{"a": 1}').stdout) == {"a": 1}
    assert "notes" in [table["name"] for table in json.loads(goop2("data", folder, "tables", "--json").stdout)]
    assert goop2("lua", "test", folder, "notes").returncode == 0
    assert goop2("lua", "check", folder).returncode == 0
    again = goop2("new", folder, "command", "notes")
    assert (again.returncode, again.stderr) == (2, f"error: {folder}/site/lua/notes.lua is there already, and stays as it is\n")


@pytest.mark.parametrize(("kind", "name"), [("command", "../x"), ("page", "a/b"), ("table", "1st"), ("test", ""), ("function", "a b")])
def test_a_name_that_is_none_is_refused_in_a_sentence(folder: Path, kind: str, name: str) -> None:
    before = sorted(folder.rglob("*"))
    done = goop2("new", folder, kind, name)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert sorted(folder.rglob("*")) == before


def test_nothing_is_written_through_a_link_out_of_the_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "tests/start_test.lua").unlink()
    (folder / "tests").rmdir()
    (folder / "tests").symlink_to(tmp_path / "elsewhere")
    assert goop2("new", folder, "test", "x").returncode == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []
