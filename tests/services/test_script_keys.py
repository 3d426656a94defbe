"""What scripts keep, as their owner sees and changes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from goop2.services.script_keys import NoSuchKeyError, ScriptKeys, open_script_keys
from goop2.storage.database import FILE, open_database
from goop2.storage.errors import StorageError
from goop2.storage.key_value import KeptKey, Store, get
from goop2.storage.registry_schema import create_schema


@pytest_asyncio.fixture
async def keys(tmp_path: Path) -> AsyncIterator[ScriptKeys]:
    database = open_database(tmp_path / FILE)
    create_schema(database)
    database.close()
    async with open_script_keys(tmp_path) as opened:
        yield opened


async def test_values_are_kept_listed_without_them_shown_and_forgotten(keys: ScriptKeys, tmp_path: Path) -> None:
    await keys.put("command", "weather", "api_key", "secret123")
    await keys.put("function", "weather", "best", {"score": 5})
    assert await keys.keys() == [KeptKey("command", "weather", "api_key", 11), KeptKey("function", "weather", "best", 11)]
    assert await keys.value("function", "weather", "best") == {"score": 5}
    database = open_database(tmp_path / FILE)
    assert get(database, Store("command", "weather"), "api_key") == '"secret123"'
    database.close()
    await keys.delete("command", "weather", "api_key")
    with pytest.raises(NoSuchKeyError, match='weather keeps nothing under "api_key"'):
        await keys.value("command", "weather", "api_key")


async def test_what_a_script_could_not_keep_is_refused(keys: ScriptKeys) -> None:
    with pytest.raises(StorageError, match="65536 bytes"):
        await keys.put("command", "weather", "k", "x" * 70_000)
    for kind, script, key in (("job", "weather", "k"), ("command", "", "k"), ("command", "weather", ""), ("command", "weather", "x" * 300)):
        with pytest.raises(StorageError):
            await keys.put(kind, script, key, 1)
    assert await keys.keys() == []
