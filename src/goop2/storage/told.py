"""Sentences for the owner that are said once, and not at every start."""

from __future__ import annotations

from goop2.storage.database import Database
from goop2.storage.errors import StorageError


def not_told(database: Database, sentence: str, *, telling: bool) -> str:
    """Return `sentence`, "" when it has been told; with `telling` it has been from now on."""
    if not sentence:
        return ""
    try:
        database.rows("CREATE TABLE IF NOT EXISTS _py_told (sentence TEXT PRIMARY KEY)")
        if database.scalar("SELECT 1 FROM _py_told WHERE sentence = ?", (sentence,)) is not None:
            return ""
        if telling:
            database.rows("INSERT INTO _py_told (sentence) VALUES (?)", (sentence,))
    except StorageError:
        pass  # a full disk stops no start: it is said again next time
    return sentence
