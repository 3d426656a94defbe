"""The key-value files of an older peer: imported once, whole or not at all, then left alone."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from goop2.storage import key_value, legacy_kv
from goop2.storage.database import Database
from goop2.storage.key_value import Store
from goop2.storage.legacy_kv import FILE_MAX_BYTES, import_files
from goop2.storage.limits import KV_KEYS_MAX, KV_MAX_BYTES

COMMAND, FUNCTION = Store("command", "weather"), Store("function", "weather")


IMPORTED = "{} of {} imported into goop.kv, once and for all: what another program changes there from now on is not seen"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / ".state"
    folder.mkdir()
    return folder


def test_a_file_is_imported_once_for_the_command_and_the_function_of_its_name(database: Database, state: Path) -> None:
    (state / "weather.json").write_text('{"api_key": "secret123", "cities": ["Rome"]}')
    before = (state / "weather.json").read_bytes()
    assert import_files(database, state.parent) == [IMPORTED.format("1 file", state)]
    assert json.loads(key_value.get(database, COMMAND, "cities") or "") == ["Rome"]
    key_value.delete(database, COMMAND, "api_key")
    assert import_files(database, state.parent) == []
    assert key_value.get(database, COMMAND, "api_key") is None
    assert key_value.get(database, FUNCTION, "api_key") == '"secret123"'
    assert (state / "weather.json").read_bytes() == before


def test_a_null_is_an_absent_key_and_no_blank_is_counted(database: Database, state: Path) -> None:
    numbers = [1] * ((KV_MAX_BYTES - len("list[]")) // len("1,"))
    (state / "weather.json").write_text(json.dumps({"gone": None, "list": numbers}))
    import_files(database, state.parent)
    assert key_value.get(database, COMMAND, "gone") is None
    assert json.loads(key_value.get(database, COMMAND, "list") or "") == numbers


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "truncated"),
        ("[1]", "not a JSON object"),
        (json.dumps({str(number): 1 for number in range(KV_KEYS_MAX + 1)}), "1000 keys"),
        ('{"a": "' + "x" * FILE_MAX_BYTES + '"}', "larger than"),
        ("[" * 100_000, "it is nested more than 128 levels deep"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "it is nested more than 128 levels deep"),
        ('{"a": NaN}', "malformed"),
        ('{"a": 1e999}', "out of range"),
        ('{"a": ' + "1" * 5000 + "}", "out of range"),
        (r'{"a": "\ud800"}', "truncated"),
    ],
)
def test_what_cannot_be_imported_is_told_and_nothing_of_it_is(database: Database, state: Path, text: str, why: str) -> None:
    (state / "bad.json").write_text(text)
    (state / "weather.json").write_text('{"a": 1}')
    told, warning = import_files(database, state.parent)
    assert told == IMPORTED.format("1 file", state)
    assert "bad.json was not imported" in warning
    assert why in warning
    assert database.scalar("SELECT count(*) FROM _py_kv WHERE script = 'bad'") == 0
    assert key_value.get(database, COMMAND, "a") == "1"


def test_a_folder_that_may_not_be_entered_is_a_warning(database: Database, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(legacy_kv, "list_names", deny)
    assert import_files(database, state.parent) == [f"{state} was not looked into for goop.kv: Permission denied"]


# ── what a folder from a stranger's archive must not bring in ────────────────────────────────────


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file of this user's that is no part of the peer."""
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "weather.json").write_text('{"token": "private"}')
    return folder


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    folder = tmp_path / "peer"
    (folder / "site" / "lua").mkdir(parents=True)
    return folder


def imported(database: Database, peer: Path) -> list[str]:
    return import_files(database, peer / "site" / "lua", peer)


def test_a_state_folder_that_is_a_link_out_of_the_peer_is_not_looked_into(database: Database, peer: Path, private: Path) -> None:
    (peer / "site" / "lua" / ".state").symlink_to(private)
    (warning,) = imported(database, peer)
    assert "was not looked into for goop.kv: it leads out of" in warning
    assert database.scalar("SELECT count(*) FROM _py_kv") == 0


def test_a_file_that_is_a_link_out_of_the_peer_is_not_imported(database: Database, peer: Path, private: Path) -> None:
    state = peer / "site" / "lua" / ".state"
    state.mkdir()
    (state / "weather.json").symlink_to(private / "weather.json")
    (warning,) = imported(database, peer)
    assert "weather.json was not imported into goop.kv: it leads out of" in warning
    assert database.scalar("SELECT count(*) FROM _py_kv") == 0


@pytest.mark.parametrize("where", ["goop.json", "goop.json.bak", "data/keys.json", "DATA/keys.json", "data.db"])
def test_a_link_to_what_the_peer_keeps_for_its_owner_is_not_imported(database: Database, peer: Path, where: str) -> None:
    (peer / where).parent.mkdir(exist_ok=True)
    (peer / where).write_text('{"p2p": {"nacl_private_key": "private"}}')
    (peer / "site" / "lua" / ".state").mkdir()
    (peer / "site" / "lua" / ".state" / "weather.json").symlink_to(peer / where)
    (warning,) = imported(database, peer)
    assert "which is for nobody but the peer's owner" in warning
    assert database.scalar("SELECT count(*) FROM _py_kv") == 0


def test_a_link_inside_the_peer_is_fine(database: Database, peer: Path) -> None:
    (peer / "old").mkdir()
    (peer / "old" / "real.json").write_text('{"a": 1}')
    (peer / "old" / "weather.json").symlink_to("real.json")
    (peer / "site" / "lua" / ".state").symlink_to("../../old")
    assert imported(database, peer) == [IMPORTED.format("2 files", peer / "site" / "lua" / ".state")]
    assert key_value.get(database, COMMAND, "a") == "1"


def test_neither_a_pipe_nor_an_endless_file_nor_a_folder_holds_the_start(database: Database, peer: Path) -> None:
    state = peer / "site" / "lua" / ".state"
    state.mkdir()
    os.mkfifo(state / "a.json")
    (state / "b.json").symlink_to("/dev/zero")
    (state / "c.json").mkdir()
    (state / "d.json").symlink_to("nothing")
    warnings = imported(database, peer)
    reasons = [warning.partition("goop.kv: ")[2] for warning in warnings]
    assert reasons[0] == "it is a named pipe, not a regular file"
    assert reasons[1] == "it is a device, not a regular file"
    assert reasons[2:] == ["it is a folder, not a regular file", "it is a link to nothing"]


def test_a_name_that_is_not_utf_8_is_a_warning_that_can_be_written(database: Database, peer: Path) -> None:
    state = peer / "site" / "lua" / ".state"
    state.mkdir()
    Path(os.fsdecode(os.fsencode(state) + b"/Jos\xe9.json")).write_text("{}")
    (warning,) = imported(database, peer)
    assert "Jos\N{REPLACEMENT CHARACTER}.json was not imported into goop.kv: its name is not UTF-8" in warning


@pytest.mark.parametrize("name", ["goop.json", "data/metrics.token", "site/scores.json"])
def test_a_file_with_another_name_is_not_imported(database: Database, tmp_path: Path, name: str) -> None:
    """Which file the other name is of is not told by the file: it may be private."""
    state, other = tmp_path / "site/lua/.state", tmp_path / name
    state.mkdir(parents=True)
    other.parent.mkdir(exist_ok=True)
    other.write_text('{"api_key": "secret"}')
    (state / "weather.json").hardlink_to(other)
    (warning,) = import_files(database, state.parent, tmp_path)
    assert "another name too (a hard link)" in warning
    assert "put a copy of it there" in warning
    assert key_value.get(database, COMMAND, "api_key") is None
    other.unlink()
    assert "1 file" in import_files(database, state.parent, tmp_path)[0]
