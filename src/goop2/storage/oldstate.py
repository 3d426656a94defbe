"""The key-value files of an older peer, `<script_dir>/.state/<script>.json`: imported once, then left alone.

Such a peer kept one store a script name; here a command and a function of that name each get the copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from goop2.storage import keyvalue
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.keyvalue import Store

FOLDER: Final = ".state"
KINDS: Final = ("command", "function")
FILE_MAX_BYTES: Final = 1024 * 1024


def import_files(database: Database, script_dir: Path) -> list[str]:
    """Import what has not been imported yet. Returns a warning for each file that could not be read or kept."""
    folder = script_dir / FOLDER
    warnings = []
    try:
        files = sorted(folder.glob("*.json"))
    except OSError as error:  # a script folder that may not be entered; what that means for the scripts, the catalog says
        return [f"{folder} was not looked into for goop.kv: {error.strerror}"]
    for file in files:
        source = f"{FOLDER}/{file.name}"
        if database.scalar("SELECT 1 FROM _py_imported WHERE source = ?", (source,)) is not None:
            continue
        try:
            with database.atomic():
                for key, value in _items(file):
                    for kind in KINDS:
                        keyvalue.put(database, Store(kind, file.stem), key, value)
                database.rows("INSERT INTO _py_imported (source) VALUES (?)", (source,))
        except (StorageError, OSError, ValueError, RecursionError) as error:
            warnings.append(f"{file} was not imported into goop.kv: {error}")
    return warnings


def _items(file: Path) -> Iterator[tuple[str, str]]:
    if file.stat().st_size > FILE_MAX_BYTES:
        raise ValueError(f"it is larger than {FILE_MAX_BYTES} bytes")
    document = json.loads(file.read_text("utf-8-sig"))
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    for key, value in document.items():
        if value is not None:  # which is an absent key
            yield key, json.dumps(value, ensure_ascii=False, separators=(",", ":"))
