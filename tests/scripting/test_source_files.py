"""The script folder as it is on the disk. Real files; only what root may always read is made unreadable by hand."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goop2.scripting.limits import SCRIPT_MAX_BYTES, STAT_SETTLED_SECONDS, WARNINGS_MAX
from goop2.scripting.source_files import Snapshot, SourceFile, SourceFolder

EMPTY = Snapshot({})


class Disk:
    """A peer folder and what is read from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = folder / "site/lua"
        self.source_folder = SourceFolder(folder, Path("site/lua"))

    def write(self, name: str, content: str | bytes = "return 1") -> Path:
        path = self.scripts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, before: Snapshot = EMPTY) -> Snapshot:
        return self.source_folder.read(before)

    def found(self) -> list[tuple[str, str]]:
        return [(file.kind, file.name) for file in self.read().files.values()]

    def only(self) -> SourceFile:
        (file,) = self.read().files.values()
        return file


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    folder = tmp_path / "mysite"
    folder.mkdir()
    return Disk(folder)


def deny(monkeypatch: pytest.MonkeyPatch, function: str, path: Path) -> None:
    """Let the system refuse `path` in `os.<function>`, as it would to anyone but root."""
    real: Callable[..., Any] = getattr(os, function)

    def denied(target: Any, *arguments: Any, **options: Any) -> Any:
        if Path(target) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
        return real(target, *arguments, **options)

    monkeypatch.setattr(os, function, denied)


def test_both_kinds_are_found_each_in_its_folder(disk: Disk) -> None:
    disk.write("hello.lua")
    disk.write("functions/score-quiz.lua")
    disk.write("functions/hello.lua")
    assert disk.found() == [("command", "hello"), ("function", "hello"), ("function", "score-quiz")]
    assert list(disk.read().files) == ["site/lua/hello.lua", "site/lua/functions/hello.lua", "site/lua/functions/score-quiz.lua"]


def test_a_missing_folder_is_empty_without_complaint(disk: Disk) -> None:
    assert disk.read() == EMPTY


def test_a_file_where_the_folder_should_be_is_a_warning(disk: Disk) -> None:
    disk.scripts.parent.mkdir()
    disk.scripts.write_text("")
    assert disk.read().warnings == ("site/lua is not a folder, so no script is loaded from it",)


def test_commands_are_lower_case_and_functions_as_written(disk: Disk) -> None:
    disk.write("Hello.lua")
    disk.write("functions/Score.lua")
    assert disk.found() == [("command", "hello"), ("function", "Score")]


def test_of_two_commands_that_differ_only_in_case_the_first_in_sort_order_wins(disk: Disk) -> None:
    disk.write("hello.lua")
    disk.write("Hello.lua")
    found = disk.read()
    assert list(found.files) == ["site/lua/Hello.lua"]
    assert found.warnings == ("site/lua/hello.lua is ignored: !hello is site/lua/Hello.lua already; rename one of the two",)


@pytest.mark.parametrize("name", ["my script.lua", "größe.lua", "a.b.lua", "hello.LUA", "README.md", ".lua~.lua.lua"[1:]])
def test_a_file_with_an_odd_name_is_ignored_with_a_warning(disk: Disk, name: str) -> None:
    disk.write(name)
    found = disk.read()
    assert not found.files
    assert found.warnings == (f"site/lua/{name} is ignored: a script's name is letters, digits, - and _, then .lua",)


def test_an_odd_name_cannot_command_a_terminal(disk: Disk) -> None:
    disk.write("\x1b[2J\n.lua")
    disk.write(os.fsdecode(b"\xff.lua"))
    assert all(warning.isprintable() for warning in disk.read().warnings)


@pytest.mark.parametrize(
    "name", [".hello.lua.swp", "hello.lua~", "4913", "#hello.lua#", ".#hello.lua", "hello.lua.tmp", ".state/hello.json"]
)
def test_what_editors_leave_lying_is_ignored_silently(disk: Disk, name: str) -> None:
    disk.write(name)
    assert disk.read() == EMPTY


def test_deeper_folders_are_not_read_and_that_is_said(disk: Disk) -> None:
    disk.write("helpers/x.lua")
    disk.write("functions/deep/x.lua")
    found = disk.read()
    assert not found.files
    assert found.warnings == (
        "site/lua/helpers is ignored: scripts lie in site/lua and site/lua/functions, not deeper",
        "site/lua/functions/deep is ignored: scripts lie in site/lua and site/lua/functions, not deeper",
    )


def test_a_thousand_odd_names_give_a_bounded_list_of_warnings(disk: Disk) -> None:
    for number in range(100):
        disk.write(f"odd name {number}.lua")
    assert len(disk.read().warnings) == WARNINGS_MAX


def test_a_byte_order_mark_is_not_part_of_the_source(disk: Disk) -> None:
    disk.write("hello.lua", b"\xef\xbb\xbf--- Says hello\nreturn 1")
    assert disk.only().source == b"--- Says hello\nreturn 1"
    assert disk.only().annotations.description == "Says hello"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_for_the_shell_is_passed_over_and_counted(disk: Disk, end: str) -> None:
    disk.write("hello.lua", f"#!/usr/bin/lua{end}--- Says hello{end}return 1".encode())
    assert disk.only().source == f"{end}--- Says hello{end}return 1".encode()
    assert disk.only().annotations.description == "Says hello"


def test_a_warning_about_an_annotation_names_the_file_as_people_see_it(disk: Disk) -> None:
    disk.write("functions/score.lua", "--- @rate_limit many")
    assert disk.only().annotations.warnings[0].startswith("site/lua/functions/score.lua:1: @rate_limit wants")


def test_a_version_is_told_apart_by_source_name_and_kind(disk: Disk) -> None:
    disk.write("a.lua")
    disk.write("b.lua")
    disk.write("functions/a.lua")
    disk.write("c.lua", "return 2")
    versions = {file.version for file in disk.read().files.values()}
    assert len(versions) == 4
    assert {len(version) for version in versions} == {16}


# Content that no script can have: a problem of that file, not of its neighbours.


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x" * 5 * 1024 * 1024, "hello.lua is 5.0 MB; the most is 1 MB"),
        (b"x" * (SCRIPT_MAX_BYTES + 1), "hello.lua is 1.1 MB; the most is 1 MB"),
        (b"return '\xff'", "hello.lua is not UTF-8: byte 8 is 0xff; save it as UTF-8"),
        (b"\xef\xbb\xbfreturn '\xff'", "hello.lua is not UTF-8: byte 11 is 0xff; save it as UTF-8"),
        (b"return '\xc3", "hello.lua is not UTF-8: byte 8 is 0xc3; save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_a_script_says_why(disk: Disk, content: bytes, problem: str) -> None:
    disk.write("hello.lua", content)
    assert disk.only().problem == problem
    assert disk.only().source == b""


def test_a_script_of_exactly_one_megabyte_is_read(disk: Disk) -> None:
    disk.write("hello.lua", b"-" * SCRIPT_MAX_BYTES)
    assert disk.only().problem == ""


def test_a_file_that_may_not_be_read_says_why(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    deny(monkeypatch, "open", disk.write("hello.lua"))
    disk.write("bye.lua")
    found = disk.read().files
    assert found["site/lua/hello.lua"].problem == "hello.lua cannot be read: Permission denied"
    assert found["site/lua/bye.lua"].problem == ""


def test_a_folder_that_cannot_be_listed_for_a_while_keeps_its_scripts(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.write("hello.lua")
    disk.write("functions/score.lua")
    before = disk.read()
    deny(monkeypatch, "listdir", disk.scripts)
    found = disk.read(before)
    assert found.files.keys() == before.files.keys()
    assert found.warnings == ("site/lua cannot be listed: Permission denied; its scripts stay as they were",)


# Links and other files that are not what they seem.


def test_a_link_inside_the_script_folder_is_a_script(disk: Disk) -> None:
    disk.write("hello.lua", "return 'hello'")
    (disk.scripts / "hi.lua").symlink_to("hello.lua")
    assert disk.found() == [("command", "hello"), ("command", "hi")]


def test_a_link_out_of_the_script_folder_is_ignored_with_a_warning(disk: Disk) -> None:
    secret = disk.folder / "secret.lua"
    secret.write_text("the owner's")
    disk.write("bye.lua")
    (disk.scripts / "hello.lua").symlink_to(secret)
    found = disk.read()
    assert list(found.files) == ["site/lua/bye.lua"]
    assert found.warnings == ("site/lua/hello.lua is ignored: it is a link that leads out of site/lua",)


def test_a_functions_folder_that_leads_elsewhere_gives_no_scripts(disk: Disk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "score.lua").write_text("return 1")
    disk.write("hello.lua")
    (disk.scripts / "functions").symlink_to(elsewhere)
    found = disk.read()
    assert list(found.files) == ["site/lua/hello.lua"]
    assert found.warnings == ("site/lua/functions/score.lua is ignored: it is a link that leads out of site/lua",)


def test_a_script_folder_that_leads_out_of_the_peer_folder_gives_no_scripts(disk: Disk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "hello.lua").write_text("return 1")
    disk.scripts.parent.mkdir()
    disk.scripts.symlink_to(elsewhere)
    found = disk.read()
    assert not found.files
    assert found.warnings == ("site/lua leads out of the peer folder, so no script in it is loaded; put a real folder there",)


def test_a_script_folder_that_is_a_link_within_the_peer_folder_is_read(disk: Disk) -> None:
    (disk.folder / "scripts").mkdir()
    (disk.folder / "scripts/hello.lua").write_text("return 1")
    disk.scripts.parent.mkdir()
    disk.scripts.symlink_to("../scripts")
    assert list(disk.read().files) == ["site/lua/hello.lua"]


def test_a_peer_folder_reached_through_a_link_is_read(disk: Disk, tmp_path: Path) -> None:
    disk.write("hello.lua")
    (tmp_path / "link").symlink_to(disk.folder)
    assert list(SourceFolder(tmp_path / "link", Path("site/lua")).read(EMPTY).files) == ["site/lua/hello.lua"]


@pytest.mark.parametrize("folder", [".", "mysite", "link"])
@pytest.mark.parametrize("absolute", [True, False])
def test_paths_are_shown_from_the_peer_folder_however_it_is_named(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, absolute: bool
) -> None:
    disk.write("hello.lua")
    (tmp_path / "link").symlink_to(disk.folder)
    monkeypatch.chdir(disk.folder if folder == "." else tmp_path)
    script_dir = disk.scripts.resolve() if absolute else Path("site/lua")
    assert list(SourceFolder(Path(folder), script_dir).read(EMPTY).files) == ["site/lua/hello.lua"]


@pytest.mark.parametrize("target", ["nowhere.lua", "loop.lua"])
def test_a_link_to_nothing_harms_nobody(disk: Disk, target: str) -> None:
    disk.write("hello.lua")
    (disk.scripts / "loop.lua").symlink_to(target)
    found = disk.read()
    assert "site/lua/hello.lua" in found.files
    assert all("loop.lua cannot be read" in file.problem for path, file in found.files.items() if "loop" in path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_only_regular_files_are_opened(disk: Disk, make: Callable[[Path], None]) -> None:
    disk.scripts.mkdir(parents=True)
    make(disk.scripts / "hello.lua")
    found = disk.read()
    assert not found.files
    assert found.warnings == ("site/lua/hello.lua is ignored: it is not a regular file",)


def test_a_pipe_that_takes_a_files_place_at_the_last_moment_holds_nobody(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = disk.write("hello.lua")
    monkeypatch.setattr(stat, "S_ISREG", lambda mode: True)
    path.unlink()
    os.mkfifo(path)
    assert disk.only().source == b""


# What is read again, and what is not.


class Openings:
    """Counts the files that are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        real = os.open

        def counted(path: str, flags: int) -> int:
            self.names.append(Path(path).name)
            return real(path, flags)

        monkeypatch.setattr(os, "open", counted)


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Openings:
    return Openings(monkeypatch)


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything written in the test was written long ago."""
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9 + STAT_SETTLED_SECONDS + 1)


@pytest.mark.usefixtures("_later")
def test_an_unchanged_file_is_not_read_again(disk: Disk, openings: Openings) -> None:
    disk.write("hello.lua")
    first = disk.read()
    second = disk.read(first)
    assert openings.names == ["hello.lua"]
    assert second.files["site/lua/hello.lua"] is first.files["site/lua/hello.lua"]


@pytest.mark.usefixtures("_later")
def test_an_edit_of_the_same_size_whose_time_was_set_back_is_seen(disk: Disk) -> None:
    path = disk.write("hello.lua", "return 1")
    before = path.stat()
    first = disk.read()
    disk.write("hello.lua", "return 2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert disk.read(first).files["site/lua/hello.lua"].source == b"return 2"


def test_a_file_just_written_is_read_again_since_its_next_edit_may_look_the_same(disk: Disk, openings: Openings) -> None:
    disk.write("hello.lua")
    first = disk.read()
    second = disk.read(first)
    assert openings.names == ["hello.lua", "hello.lua"]
    assert second.files["site/lua/hello.lua"].version == first.files["site/lua/hello.lua"].version


@pytest.mark.usefixtures("_later")
def test_a_link_that_is_pointed_elsewhere_is_read_again(disk: Disk) -> None:
    disk.write("a.lua", "return 1")
    disk.write("b.lua", "return 2")
    link = disk.scripts / "hi.lua"
    link.symlink_to("a.lua")
    first = disk.read()
    link.unlink()
    link.symlink_to("b.lua")
    assert disk.read(first).files["site/lua/hi.lua"].source == b"return 2"


@pytest.mark.parametrize("script_dir", ["site/lua", "missing"])
def test_the_places_to_watch_are_named_whether_they_are_there_or_not(disk: Disk, script_dir: str) -> None:
    folder = SourceFolder(disk.folder, Path(script_dir))
    assert folder.places(EMPTY) == [disk.folder / script_dir, *(disk.folder / script_dir / each for each in ("functions", "lib"))]


def test_the_folder_a_link_leads_to_is_watched_too(disk: Disk) -> None:
    target = disk.write("shared/hello.lua")
    (disk.scripts / "hello.lua").symlink_to(target)
    assert target.parent.resolve() in disk.source_folder.places(disk.read())
