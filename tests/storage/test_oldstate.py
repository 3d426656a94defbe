"""The key-value files of an older peer: imported once, whole or not at all, then left alone."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from goop2.storage import keyvalue
from goop2.storage.database import Database
from goop2.storage.keyvalue import Store
from goop2.storage.limits import KV_KEYS_MAX, KV_MAX_BYTES
from goop2.storage.oldstate import FILE_MAX_BYTES, import_files

COMMAND, FUNCTION = Store("command", "weather"), Store("function", "weather")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / ".state"
    folder.mkdir()
    return folder


def test_a_file_is_imported_once_for_the_command_and_the_function_of_its_name(database: Database, state: Path) -> None:
    (state / "weather.json").write_text('{"api_key": "secret123", "cities": ["Rome"]}')
    before = (state / "weather.json").read_bytes()
    assert import_files(database, state.parent) == []
    assert json.loads(keyvalue.get(database, COMMAND, "cities") or "") == ["Rome"]
    keyvalue.delete(database, COMMAND, "api_key")
    assert import_files(database, state.parent) == []
    assert keyvalue.get(database, COMMAND, "api_key") is None
    assert keyvalue.get(database, FUNCTION, "api_key") == '"secret123"'
    assert (state / "weather.json").read_bytes() == before


def test_a_null_is_an_absent_key_and_no_blank_is_counted(database: Database, state: Path) -> None:
    numbers = [1] * ((KV_MAX_BYTES - len("list[]")) // len("1,"))
    (state / "weather.json").write_text(json.dumps({"gone": None, "list": numbers}))
    assert import_files(database, state.parent) == []
    assert keyvalue.get(database, COMMAND, "gone") is None
    assert json.loads(keyvalue.get(database, COMMAND, "list") or "") == numbers


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting"),
        ("[1]", "not a JSON object"),
        (json.dumps({str(number): 1 for number in range(KV_KEYS_MAX + 1)}), "1000 keys"),
        ('{"a": "' + "x" * FILE_MAX_BYTES + '"}', "larger than"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_cannot_be_imported_is_told_and_nothing_of_it_is(database: Database, state: Path, text: str, why: str) -> None:
    (state / "bad.json").write_text(text)
    (state / "weather.json").write_text('{"a": 1}')
    (warning,) = import_files(database, state.parent)
    assert "bad.json was not imported" in warning
    assert why in warning
    assert database.scalar("SELECT count(*) FROM _py_kv WHERE script = 'bad'") == 0
    assert keyvalue.get(database, COMMAND, "a") == "1"


def test_a_folder_that_may_not_be_entered_is_a_warning(database: Database, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "glob", deny)
    assert import_files(database, state.parent) == [f"{state} was not looked into for goop.kv: Permission denied"]
