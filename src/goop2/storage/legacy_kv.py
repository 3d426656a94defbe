"""Import the key-value files of an older peer, `<script_dir>/.state/<script>.json`: once, and then they are left alone.

Such a peer had one store for each script name; here a command and a function of that name each get the copy. Whoever calls a script can
read what was imported, so nothing is imported from outside the peer folder, nor from the files that the folder keeps for its owner.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from goop2.folder.regular_files import list_names, read_regular, shown
from goop2.protocols.untrusted_json import decode
from goop2.storage import key_value
from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.key_value import Store

FOLDER: Final = ".state"
ENDING: Final = ".json"
KINDS: Final = ("command", "function")
FILE_MAX_BYTES: Final = 1024 * 1024
PRIVATE: Final = ("data", "goop.json")
"""In the peer folder: data/, data.db and goop.json with its copies hold keys, tokens and messages."""


def import_files(database: Database, script_dir: Path, folder: Path | None = None) -> list[str]:
    """Import what has not been imported yet from the scripts' folder of the peer in `folder` (None: the scripts' folder stands alone).

    Returns what the owner should know: that files were imported, and each one that could not be read or kept.
    """
    state, home = script_dir / FOLDER, folder or script_dir
    if not os.path.realpath(script_dir).startswith(os.path.realpath(home) + os.sep):
        home = script_dir  # the site is a link its owner lets lead out
    try:
        names = [name for name in list_names(state, home) if name.endswith(ENDING)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:  # a script folder that may not be entered, a link that leads out of the peer
        return [f"{shown(state)} was not looked into for goop.kv: {error.strerror}"]
    imported, warnings = 0, []
    for name in names:
        try:
            imported += _import(database, state / name, home)
        except (StorageError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            warnings.append(f"{shown(state / name)} was not imported into goop.kv: {reason}")
    return [*([_told(imported, state)] if imported else []), *warnings]


def _told(imported: int, state: Path) -> str:
    files = "1 file" if imported == 1 else f"{imported} files"
    return f"{files} of {shown(state)} imported into goop.kv, once and for all: what another program changes there from now on is not seen"


def _import(database: Database, file: Path, home: Path) -> bool:
    """Return whether the file was imported now: False when it has been before."""
    _check_name(file.name)
    source = f"{FOLDER}/{file.name}"
    if _is_imported(database, source):
        return False
    # Read before the write lock is taken: a slow disk must not hold up whoever writes.
    items = _items(file, home)
    with database.atomic():
        if _is_imported(database, source):  # by a command beside us
            return False
        for key, value in items:
            # The old files did not tell commands from functions, so both find the value.
            for kind in KINDS:
                key_value.put(database, Store(kind, file.stem), key, value)
        database.rows("INSERT INTO _py_imported (source) VALUES (?)", (source,))
    return True


def _is_imported(database: Database, source: str) -> bool:
    return database.scalar("SELECT 1 FROM _py_imported WHERE source = ?", (source,)) is not None


def _check_name(name: str) -> None:
    if shown(name) != name:
        raise ValueError("its name is not UTF-8, so it is no script's")


def _items(file: Path, home: Path) -> list[tuple[str, str]]:
    document: object = decode(read_regular(file, home, FILE_MAX_BYTES, PRIVATE))
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    # A null is an absent key.
    return [(key, json.dumps(value, ensure_ascii=False, separators=(",", ":"))) for key, value in document.items() if value is not None]
