"""The keys of other peers that a folder of Goop2 has: its `_peer_cache`, which is read and never written.

Such a peer is known to the others, which encrypt for it from the first word on (network.md, "Payload keys").
"""

from __future__ import annotations

from typing import Final

from goop2.storage.columns import quoted
from goop2.storage.database import Database
from goop2.storage.errors import StorageError

TABLE: Final = "_peer_cache"
KEYS_MAX: Final = 4096
"""Rows that are read."""
KEY_MAX_CHARS: Final = 64
"""32 bytes are 44 characters of base64."""
_IDS: Final = ("peerid", "id")
_KEYS: Final = ("publickey", "naclpublickey", "encryptionkey")
"""Names of the columns without `_`, in lower case: they differ from version to version."""


def public_keys(database: Database) -> dict[str, str]:
    """Return peer → its key, base64; nothing where the table, or a column of keys, is missing. Blocking."""
    try:
        if database.scalar("SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?", (TABLE,)) != "table":
            return {}  # a view could do anything, and for ever
        columns = {
            str(name).lower().replace("_", ""): str(name) for (name,) in database.rows("SELECT name FROM pragma_table_info(?)", (TABLE,))
        }
        peer, key = (next((columns[name] for name in names if name in columns), "") for names in (_IDS, _KEYS))
        if not peer or not key:
            return {}
        sql = f"SELECT {quoted(peer)}, {quoted(key)} FROM {TABLE} WHERE length({quoted(key)}) BETWEEN 1 AND ? LIMIT ?"
        return {str(id_): str(value) for id_, value in database.rows(sql, (KEY_MAX_CHARS, KEYS_MAX))}
    except StorageError:  # a view that fails, or a table of another kind: no key is better than no start
        return {}
