"""What scripts keep by goop.kv, for their owner: the keys, a value when it is asked for, and changes. It must not know HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from goop2.storage import key_value
from goop2.storage.async_database import AsyncDatabase
from goop2.storage.database import FILE, Database, open_database
from goop2.storage.errors import StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.key_value import KeptKey, Store
from goop2.storage.values import shown

T = TypeVar("T")
SECONDS: Final = 5.0
"""For each operation, waiting for the lock included."""
KEY_MAX_CHARS: Final = 200
KINDS: Final = ("command", "function")


class NoSuchKeyError(StorageError):
    """A script keeps nothing under that key."""

    code = "not_found"


class ScriptKeys:
    """The keys of all scripts of one peer."""

    def __init__(self, folder: Path, care: FileCare = CARELESS) -> None:
        """Keep what is needed; the connection opens when it is first used."""
        self._database = AsyncDatabase("goop2-script-keys", partial(open_database, folder / FILE, care=care))

    async def close(self) -> None:
        """Close the connection to data.db, after the operation under way."""
        await self._database.close()

    async def keys(self) -> list[KeptKey]:
        """Return every key, without values."""
        return await self._run(key_value.kept_keys)

    async def value(self, kind: str, script: str, key: str) -> object:
        """Return the value of a key. Raises `NoSuchKeyError`."""
        store = _store(kind, script)
        text = await self._run(lambda database: key_value.get(database, store, key))
        if text is None:
            raise NoSuchKeyError(f"{script} keeps nothing under {shown(key)}")
        return msgspec.json.decode(text)

    async def put(self, kind: str, script: str, key: str, value: object) -> None:
        """Keep a value under a key. Raises `StorageError` beyond the script's limits."""
        store = _store(kind, script)
        if not 0 < len(key) <= KEY_MAX_CHARS:
            raise StorageError(f"the key has {len(key)} characters; allowed are 1 to {KEY_MAX_CHARS}")
        text = msgspec.json.encode(value).decode()
        await self._run(lambda database: key_value.put(database, store, key, text))

    async def delete(self, kind: str, script: str, key: str) -> None:
        """Forget a key and its value; nothing happens when the script keeps none."""
        store = _store(kind, script)
        await self._run(lambda database: key_value.delete(database, store, key))

    async def _run(self, work: Callable[[Database], T]) -> T:
        def bounded(database: Database) -> T:
            database.bound(time.monotonic() + SECONDS)
            return work(database)

        return await self._database.run(bounded)


def _store(kind: str, script: str) -> Store:
    if kind not in KINDS or not script:
        raise StorageError(f"{shown(kind)} is no kind of script; there are {', '.join(KINDS)}")
    return Store(kind, script)


@asynccontextmanager
async def open_script_keys(folder: Path, care: FileCare = CARELESS) -> AsyncIterator[ScriptKeys]:
    """Give the keys of the scripts in `folder` until the block is left."""
    keys = ScriptKeys(folder, care)
    try:
        yield keys
    finally:
        await keys.close()
