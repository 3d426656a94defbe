"""The version of what a peer keeps in data.db: a folder that a newer goop2 has changed is not opened by an older one.

Version 1 has no mark. A version that changes the meaning of a table of ours writes its number here, in the transaction that makes the
change. It must not know what the tables are.
"""

from __future__ import annotations

from typing import Final

from goop2.storage.database import Database
from goop2.storage.errors import DatabaseError

FORMAT: Final = 1
"""The newest version this program knows."""
KEY: Final = "_py_format"
"""Of the table `_meta`."""


def check(database: Database, name: str) -> None:
    """Raise `DatabaseError` when the database `name` has a version that this program does not know."""
    mark = database.scalar("SELECT value FROM _meta WHERE key = ?", (KEY,))
    if mark is None or str(mark) in map(str, range(1, FORMAT + 1)):
        return
    raise DatabaseError(
        f"{name} was changed by a newer goop2 (its format is {str(mark)[:20]!r}, this one knows {FORMAT}): install the newer one, "
        "or restore a backup of before"
    )
