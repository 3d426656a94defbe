"""Names that are not UTF-8 work, or are refused in one sentence, wherever they come from: names on Linux are bytes."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.cli.command import goop2
from tests.cli.conftest import Save
from tests.e2e.peers import made, running
from tests.services.listen.sounds import wav

from goop2.services.listen.service import ListenService
from goop2.services.listen.tracks import Library

ODD = os.fsdecode(b"Jos\xe9")
SHOWN = "Jos\N{REPLACEMENT CHARACTER}"


@pytest.fixture
def odd(folder: Path) -> Path:
    """The peer folder, under a name that is not UTF-8."""
    return folder.rename(folder.with_name(ODD))


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_folder_of_such_a_name_works(odd: Path, locale: dict[str, str]) -> None:
    (odd / "site/lua/kv.lua").write_text("function handle() goop.kv.set('a', 1) return tostring(goop.kv.get('a')) end")
    done = goop2("lua", "chat", odd, "!kv", env={"GOOP2_LUA_KV_ENABLED": "1", **locale})
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert goop2("lua", "chat", ".", "!hello", cwd=odd, env=locale).stdout == "Hello, world!\n"
    assert json.loads(goop2("data", odd, "query", "SELECT 1 AS one", "--json", env=locale).stdout) == [{"one": 1}]


def test_every_folder_beyond_ascii_works_in_a_plain_locale(folder: Path) -> None:
    named = folder.rename(folder.with_name("José"))
    done = goop2("lua", "chat", named, "!hello", env={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert done.stdout == "Hello, world!\n"


def test_a_new_folder_of_such_a_name_has_a_label_that_can_be_shown(tmp_path: Path) -> None:
    done = goop2("init", tmp_path / ODD)
    assert done.returncode == 0
    assert json.loads((tmp_path / ODD / "goop.json").read_text())["profile"]["label"] == SHOWN


def test_a_backup_of_such_a_name_is_made(folder: Path, tmp_path: Path) -> None:
    goop2("lua", "chat", folder, "!hello")
    done = goop2("data", folder, "backup", tmp_path / f"{ODD}.db")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / f"{ODD}.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    "command", [("connect", "DIR", ODD), ("send", ODD, "hi", "--dir", "DIR"), ("data", "DIR", "query", ODD), ("lua", "call", "DIR", ODD)]
)
def test_an_argument_that_is_no_path_is_refused_in_a_sentence(folder: Path, command: tuple[str, ...]) -> None:
    done = goop2(*(str(folder) if word == "DIR" else word for word in command))
    assert done.returncode == 2
    assert f"'{SHOWN}' is not UTF-8 text" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_setting_in_the_environment_is_refused_in_a_sentence(folder: Path) -> None:
    done = goop2("lua", "list", folder, env={"GOOP2_PROFILE_LABEL": ODD})
    assert (done.returncode, done.stderr) == (2, 'error: GOOP2_PROFILE_LABEL is "Jos\\udce9"; allowed is text on one line\n')


def test_scripts_and_files_of_the_site_of_such_names_hinder_no_other(folder: Path, save: Save) -> None:
    (folder / "site/lua" / f"{ODD}.lua").write_text("function handle() end")
    (folder / "site" / ODD).mkdir()
    (folder / "site" / f"{ODD}.html").touch()
    done = goop2("lua", "list", folder)
    assert done.returncode == 0
    assert f"site/lua/{SHOWN}.lua is ignored: a script's name is letters, digits, - and _, then .lua" in done.stderr
    assert goop2("lua", "chat", folder, "!hello").stdout == "Hello, world!\n"


def test_an_audio_file_of_such_a_name_is_left_out_and_the_others_are_offered(tmp_path: Path) -> None:
    home = tmp_path / ODD
    for name in ("good.mp3", f"{ODD}.mp3", f"{ODD}/a.mp3"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    assert Library(home, home / "site/lua", []).files() == ["good.mp3"]


async def test_a_session_in_such_a_folder_survives_a_restart(tmp_path: Path) -> None:
    home = tmp_path / ODD
    home.mkdir()
    wav(home / "a.wav", 0.1)
    library = Library(home, home / "site/lua", [])
    listening = ListenService(home, library)
    await listening.create("party")
    await listening.load("a.wav")
    await listening.stop()
    after = ListenService(home, library)
    await asyncio.to_thread(after.restore)
    state = after.state()
    assert state is not None
    assert state.track is not None
    assert state.track.name == "a"


def test_a_media_folder_below_a_home_nobody_knows_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", _nobody)
    (tmp_path / "good.mp3").touch()
    library = Library(tmp_path, tmp_path / "site/lua", ["~/Music", "~nobody-here/Music"])
    assert library.warnings == [
        f"listen.media_dirs: {place} is passed over: no home of the user who runs the peer is known, so name the path"
        for place in ("~/Music", "~nobody-here/Music")
    ]
    assert library.files() == ["good.mp3"]


def _nobody(_uid: int) -> None:
    raise KeyError


def test_such_a_folder_is_served(tmp_path: Path) -> None:
    made(tmp_path / "plain", "odd")
    with running((tmp_path / "plain").rename(tmp_path / ODD), "odd") as up:
        done = up.goop2("peers", up.folder, "--json")  # peers of other tests may be near by
        assert (done.returncode, done.stderr) == (0, "")
        assert isinstance(json.loads(done.stdout), list)
