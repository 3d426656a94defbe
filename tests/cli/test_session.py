"""What is wrong with a folder or its settings: one sentence on stderr, exit code 2, whichever command meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.command import goop2

COMMANDS = [("lua", "chat", "!hello"), ("lua", "call", "score-quiz"), ("chat", ""), ("lua", "list", ""), ("lua", "check", ""), ("id", "")]


def run(command: tuple[str, ...], folder: Path) -> tuple[str, str, int]:
    *words, last = command
    done = goop2(*words, folder, *([last] if last else []))
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_a_folder_that_is_no_peer_is_refused_and_left_as_it_is(tmp_path: Path, command: tuple[str, ...]) -> None:
    sentence = f'error: {tmp_path}/goop.json is missing: {tmp_path} is not a peer folder; "goop2 init {tmp_path}" makes one\n'
    assert run(command, tmp_path) == ("", sentence, 2)
    assert list(tmp_path.iterdir()) == []


def test_invalid_settings_name_file_key_value_and_what_is_allowed(folder: Path) -> None:
    (folder / "goop.json").write_text('{"lua": {"timeout_seconds": 0}}')
    sentence = f"error: {folder}/goop.json: lua.timeout_seconds is 0; allowed is a number from 1 to 60\n"
    assert run(("lua", "list", ""), folder) == ("", sentence, 2)


def test_an_unknown_setting_is_a_warning_on_stderr_and_the_script_answers(folder: Path) -> None:
    (folder / "goop.json").write_text('{"lua": {"enabled": true, "timeout_second": 3}}')
    stdout, stderr, code = run(COMMANDS[0], folder)
    assert (stdout, code) == ("Hello, world!\n", 0)
    assert stderr == f"warning: {folder}/goop.json: lua.timeout_second is not a setting and is ignored; did you mean lua.timeout_seconds?\n"


@pytest.mark.parametrize("command", COMMANDS[:3], ids=lambda command: " ".join(command[:2]))
def test_scripts_that_are_switched_off_do_not_answer(folder: Path, command: tuple[str, ...]) -> None:
    (folder / "goop.json").write_text("{}")
    sentence = f'error: scripts are switched off here: set "enabled": true in the section "lua" of {folder}/goop.json\n'
    assert run(command, folder) == ("", sentence, 2)


def test_scripts_that_are_switched_off_are_listed_and_checked(folder: Path) -> None:
    (folder / "goop.json").write_text("{}")
    stdout, stderr, code = run(("lua", "list", ""), folder)
    assert (len(stdout.splitlines()), code) == (6, 0)  # a head line, and the five scripts of the template
    assert stderr.startswith("warning: scripts are switched off here, none answers")


def test_a_script_folder_that_is_a_link_out_of_the_peer_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "site/lua", tmp_path / "elsewhere")
    (folder / "site/lua").symlink_to(tmp_path / "elsewhere")
    stdout, stderr, code = run(COMMANDS[0], folder)
    assert (stdout, code) == ("", 2)
    assert f"which is really {tmp_path}/elsewhere; allowed is a folder inside the peer folder" in stderr


def test_an_identity_that_is_none_stops_the_command_and_is_not_overwritten(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data/identity.key").write_text("not a key")
    stdout, stderr, code = run(COMMANDS[0], folder)
    assert (stdout, code) == ("", 2)
    assert stderr.startswith(f"error: {folder}/data/identity.key is not a peer's key")
    assert (folder / "data/identity.key").read_text() == "not a key"


def test_with_json_the_sentence_is_a_value_on_stdout_too(tmp_path: Path) -> None:
    done = goop2("lua", "list", tmp_path, "--json")
    value = json.loads(done.stdout)
    assert (value["ok"], value["code"], done.returncode) == (False, "settings", 2)
    assert done.stderr == f"error: {value['message']}\n"
