"""goop.kv: a small store per script, as JSON text in `_py_kv`.

Every write is one statement that checks the script's limits itself, so two calls at the same time neither lose a key nor exceed the limit
together.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.limits import KV_KEYS_MAX, KV_MAX_BYTES

_SIZE: Final = "length(CAST(key AS BLOB)) + length(CAST(value AS BLOB))"
_OTHERS: Final = "FROM _py_kv WHERE kind = ?1 AND script = ?2 AND key <> ?3"
_SET: Final = (
    "INSERT INTO _py_kv (kind, script, key, value) SELECT ?1, ?2, ?3, ?4 "
    f"WHERE (SELECT count(*) < {KV_KEYS_MAX} AND coalesce(sum({_SIZE}), 0) + ?5 <= {KV_MAX_BYTES} {_OTHERS}) "
    "ON CONFLICT DO UPDATE SET value = excluded.value"
)
_GET: Final = "SELECT value FROM _py_kv WHERE kind = ? AND script = ? AND key = ?"
_DELETE: Final = "DELETE FROM _py_kv WHERE kind = ? AND script = ? AND key = ?"


class Store(msgspec.Struct, frozen=True, gc=False):
    """The owner of keys: one script of one kind."""

    kind: str
    script: str


def get(database: Database, store: Store, key: str) -> str | None:
    """Return the value's JSON text, None when the key is not there."""
    value = database.scalar(_GET, (store.kind, store.script, key))
    return None if value is None else str(value)


def put(database: Database, store: Store, key: str, value: str) -> None:
    """Save `value`, JSON text, under `key`. Raises `StorageError` beyond the limits; then nothing has changed."""
    size = len(key.encode()) + len(value.encode())
    if not database.changed(_SET, (store.kind, store.script, key, value, size)):
        raise StorageError(_refusal(database, store, key))


def delete(database: Database, store: Store, key: str) -> None:
    """Delete the value of `key` from a store."""
    database.changed(_DELETE, (store.kind, store.script, key))


class KeptKey(msgspec.Struct, frozen=True):
    """A key that a script keeps, without its value."""

    kind: str
    script: str
    key: str
    bytes: int
    """Of the value, as JSON."""


def kept_keys(database: Database) -> list[KeptKey]:
    """Return every key of every script, without values: the owner's list."""
    found = database.rows("SELECT kind, script, key, length(CAST(value AS BLOB)) FROM _py_kv ORDER BY script, kind, key")
    return [KeptKey(str(kind), str(script), str(key), int(str(size))) for kind, script, key, size in found]


def _refusal(database: Database, store: Store, key: str) -> str:
    keys = database.scalar(f"SELECT count(*) {_OTHERS}", (store.kind, store.script, key))
    if isinstance(keys, int) and keys >= KV_KEYS_MAX:
        return f"goop.kv holds {KV_KEYS_MAX} keys of this script, the most it may have"
    return f"goop.kv would hold more than {KV_MAX_BYTES} bytes of this script, keys and values together"
