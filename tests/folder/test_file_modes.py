"""A peer's private files are its own user's alone: made so, tightened at start, said once, left where the owner says so."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.cli.command import goop2

from goop2.folder.creation import create
from goop2.folder.file_modes import tighten

ROOT = os.geteuid() == 0
NOBODY = 65534


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A peer folder as 0.1.0 left it."""
    create(tmp_path / "mysite")
    made = tmp_path / "mysite"
    (made / "data" / "inner").mkdir(parents=True)
    for name in ("data.db", "data.db-wal", "data/identity.key", "data/inner/log"):
        (made / name).touch()
    for place in (made, *made.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)
    return made


PRIVATE = ("goop.json", "data.db", "data.db-wal", "data/identity.key", "data/inner/log")


def test_private_files_are_tightened_and_nothing_else_is_and_it_is_said_once(folder: Path) -> None:
    (told,) = tighten(folder)
    assert told.startswith(f"goop.json, data.db, data.db-wal and 4 more in {folder} could be read by others on this machine")
    assert {name: mode(folder / name) for name in PRIVATE} == dict.fromkeys(PRIVATE, 0o600)
    assert (mode(folder / "data"), mode(folder / "data/inner")) == (0o700, 0o700)
    assert (mode(folder), mode(folder / "site"), mode(folder / "site/index.html")) == (0o755, 0o755, 0o644)
    assert tighten(folder) == []


def test_what_a_link_in_data_leads_to_is_left_alone(folder: Path, tmp_path: Path) -> None:
    letter, place = tmp_path / "letter.txt", tmp_path / "place"
    letter.touch(0o644)
    place.mkdir(0o755)
    (folder / "data/letter").symlink_to(letter)
    (folder / "data/place").symlink_to(place)
    tighten(folder)
    assert (mode(letter), mode(place)) == (0o644, 0o755)


def test_a_linked_database_is_tightened_where_it_lies(folder: Path) -> None:
    for name in ("data.db", "data.db-wal"):
        (folder / name).rename(folder / name.replace("data", "real"))
    (folder / "data.db").symlink_to("real.db")
    tighten(folder)
    assert (mode(folder / "real.db"), mode(folder / "real.db-wal")) == (0o600, 0o600)


@pytest.mark.skipif(not ROOT, reason="only root can give a file to somebody else")
def test_files_of_another_user_are_left_alone(folder: Path) -> None:
    os.chown(folder / "data.db", NOBODY, NOBODY)
    tighten(folder)
    assert mode(folder / "data.db") == 0o644
    assert mode(folder / "goop.json") == 0o600


def test_where_the_mode_cannot_be_changed_it_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)
    (told,) = tighten(folder)
    assert told.startswith("goop.json, data.db, data.db-wal and 4 more in ")
    assert told.endswith("can be read by others on this machine, and the mode cannot be changed")


def test_a_new_peer_s_files_are_private_from_the_first_moment(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / "mysite"
        assert goop2("init", folder).returncode == 0
        done = goop2("lua", "chat", folder, "!hello")
        assert (done.stdout, done.stderr) == ("Hello, world!\n", "")
        goop2("data", folder, "backup", tmp_path / "copy.db")
        goop2("data", folder, "export", "--all", "--output", tmp_path / "all")
    finally:
        os.umask(before)
    private = [folder / "goop.json", folder / "data.db", tmp_path / "copy.db", *(folder / "data").iterdir()]
    assert {file.name: mode(file) for file in private} == {file.name: 0o600 for file in private}
    assert mode(folder / "data") == 0o700


def test_the_owner_may_share_the_folder_with_a_group(folder: Path) -> None:
    for name in ("data.db", "data.db-wal", "data/identity.key"):
        (folder / name).unlink()
    file = folder / "goop.json"
    file.write_text(file.read_text().replace("{", '{"storage": {"group_readable": true},', 1))
    done = goop2("lua", "chat", folder, "!hello")
    assert (done.stdout, done.stderr) == ("Hello, world!\n", "")
    assert (mode(folder / "goop.json"), mode(folder / "data"), mode(folder / "data.db")) == (0o644, 0o755, 0o644)
    assert mode(folder / "data/identity.key") == 0o600
