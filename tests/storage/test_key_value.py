"""goop.kv: limits that hold, and keys that are one script's."""

from __future__ import annotations

import pytest

from goop2.storage import key_value
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.key_value import Store
from goop2.storage.limits import KV_KEYS_MAX, KV_MAX_BYTES

HERE = Store("command", "weather")


def test_a_key_is_kept_replaced_and_forgotten(database: Database) -> None:
    key_value.put(database, HERE, "api_key", '"a"')
    key_value.put(database, HERE, "api_key", '"b"')
    assert key_value.get(database, HERE, "api_key") == '"b"'
    key_value.delete(database, HERE, "api_key")
    assert key_value.get(database, HERE, "api_key") is None


@pytest.mark.parametrize("other", [Store("function", "weather"), Store("command", "hello")])
def test_keys_belong_to_one_script_of_one_kind(database: Database, other: Store) -> None:
    key_value.put(database, HERE, "api_key", "1")
    assert key_value.get(database, other, "api_key") is None


def test_the_thousand_and_first_key_is_refused_and_changes_nothing(database: Database) -> None:
    for number in range(KV_KEYS_MAX):
        key_value.put(database, HERE, str(number), "1")
    with pytest.raises(StorageError, match="1000 keys"):
        key_value.put(database, HERE, "one more", "1")
    key_value.put(database, HERE, "0", "2")
    for other in (Store("command", "other"), Store("function", "weather")):
        key_value.put(database, other, "x", "1")
    assert database.scalar("SELECT count(*) FROM _py_kv WHERE script = 'weather' AND kind = 'command'") == KV_KEYS_MAX


def test_the_64_kb_count_keys_and_values_in_bytes(database: Database) -> None:
    key_value.put(database, HERE, "ä", "x" * (KV_MAX_BYTES - 2))
    with pytest.raises(StorageError, match="65536 bytes"):
        key_value.put(database, HERE, "ä", "x" * (KV_MAX_BYTES - 1))
    with pytest.raises(StorageError, match="65536 bytes"):
        key_value.put(database, HERE, "", "1")
    assert key_value.get(database, HERE, "ä") == "x" * (KV_MAX_BYTES - 2)
    key_value.put(database, Store("command", "other"), "k", f'"{"ä" * (KV_MAX_BYTES // 4)}"')
    with pytest.raises(StorageError, match="65536 bytes"):
        key_value.put(database, Store("command", "other"), "m", f'"{"ä" * (KV_MAX_BYTES // 4)}"')
