"""`goop2 init`: what a new peer folder holds, and what it never touches."""

from __future__ import annotations

from pathlib import Path

import lupa.lua51
import pytest

from goop2.config import load
from goop2.folder.creation import FolderError, create

FILES = [
    "README.md",
    "goop.json",
    "schemas/games.json",
    "site/chat.css",
    "site/chat.js",
    "site/icon.svg",
    "site/index.html",
    "site/look.css",
    "site/lua/functions/game-move.lua",
    "site/lua/functions/game-new.lua",
    "site/lua/functions/score-quiz.lua",
    "site/lua/hello.lua",
    "site/lua/weather.lua",
    "tests/start_test.lua",
]
SCRIPTS = [path for path in FILES if path.startswith("site/") and path.endswith(".lua")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder as made."""
    create(tmp_path / "my-peer")
    return tmp_path / "my-peer"


def everything(folder: Path) -> dict[str, str]:
    """Path inside the folder → content."""
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def result(folder: Path, script: str, expression: str) -> object:
    """What the script gives; a bare Lua is enough for scripts that do not use `goop`."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    lua.execute((folder / script).read_text())
    return lua.eval(expression)


def test_a_new_folder_holds_settings_a_front_page_and_the_manuals_scripts(folder: Path) -> None:
    assert list(everything(folder)) == FILES


def test_create_says_what_it_wrote(tmp_path: Path) -> None:
    created = create(tmp_path / "p")
    assert sorted(created.written) == FILES
    assert created.kept == ()


def test_a_new_folder_is_a_peer_folder_whose_settings_load_without_a_warning(folder: Path) -> None:
    loaded = load(folder, {})
    assert loaded.warnings == ()
    assert (loaded.settings.lua.enabled, loaded.settings.lua.kv_enabled, loaded.settings.lua.http_enabled) == (True, True, False)
    assert loaded.settings.script_dir(folder) == folder.resolve() / "site/lua"


def test_the_label_is_the_folders_name_unless_given(tmp_path: Path, folder: Path) -> None:
    create(tmp_path / "other", "Zoë's peer")
    assert load(folder, {}).settings.profile.label == "my-peer"
    assert load(tmp_path / "other", {}).settings.profile.label == "Zoë's peer"


def test_the_folder_one_stands_in_gives_its_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    create(Path())
    assert load(tmp_path, {}).settings.profile.label == tmp_path.name


def test_every_setting_of_the_new_folder_is_explained_in_its_readme(folder: Path) -> None:
    readme = (folder / "README.md").read_text()
    for path in ("profile.label", "lua.enabled", "lua.kv_enabled", "lua.http_enabled"):
        assert f"| `{path}` |" in readme


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_in_its_first_line_what_it_is_for(script: str, folder: Path) -> None:
    assert (folder / script).read_text().startswith("--- ")


@pytest.mark.parametrize(("argument", "reply"), [("Alice", "Hello, Alice!"), ("", "Hello, world!")])
def test_hello_greets(argument: str, reply: str, folder: Path) -> None:
    assert result(folder, "site/lua/hello.lua", f'handle("{argument}")') == reply


@pytest.mark.parametrize(
    ("answers", "score", "total"),
    [("'B', 'A', 'D', 'C'", 4, 4), ("'B', 'B', 'D'", 2, 3), ("'A', 'B', 'C', 'D'", 0, 4), ("", 0, 0), ("'B', 'A', 'D', 'C', 'E'", 4, 5)],
)
def test_score_quiz_counts_the_right_answers(answers: str, score: int, total: int, folder: Path) -> None:
    scored = f"(function(r) return r.score, r.total end)(call{{ params = {{ answers = {{ {answers} }} }} }})"
    assert result(folder, "site/lua/functions/score-quiz.lua", scored) == (score, total)


def test_score_quiz_without_answers_says_what_it_wants(folder: Path) -> None:
    failed = "select(2, pcall(call, { params = {} }))"
    assert "answers must be a list" in str(result(folder, "site/lua/functions/score-quiz.lua", failed))


def test_a_peer_folder_is_refused_and_stays_as_it_is(folder: Path) -> None:
    (folder / "site/index.html").unlink()
    before = everything(folder)
    with pytest.raises(FolderError) as refused:
        create(folder, "other")
    assert str(refused.value) == f"{folder / 'goop.json'} is there already: {folder} is a peer folder, and stays as it is"
    assert everything(folder) == before


def test_files_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "site/lua").mkdir(parents=True)
    (tmp_path / "site/lua/hello.lua").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    created = create(tmp_path)
    assert created.kept == ("site/lua/hello.lua",)
    after = everything(tmp_path)
    assert (after["site/lua/hello.lua"], after["notes.txt"]) == ("mine", "mine too")
    assert set(FILES) <= set(after)


def test_a_link_in_the_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").symlink_to(tmp_path / "elsewhere")
    assert create(tmp_path).kept == ("site/index.html",)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(FolderError, match=r"/x cannot be written \(.*\): choose a folder you may write to"):
        create(tmp_path / "x")


def test_a_folder_half_made_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "site").touch()
    with pytest.raises(FolderError):
        create(tmp_path)
    assert not (tmp_path / "goop.json").exists()
    (tmp_path / "site").unlink()
    create(tmp_path)
    assert list(everything(tmp_path)) == FILES


def test_a_label_on_two_lines_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="allowed is text on one line"):
        create(tmp_path / "p", "two\nlines")
    assert not (tmp_path / "p").exists()


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "site").symlink_to("../private")
    with pytest.raises(FolderError, match=r"is really .*private.*: put a real folder there first"):
        create(tmp_path / "mysite")
    assert list((tmp_path / "private").iterdir()) == []
