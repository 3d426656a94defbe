"""schemas/*.json: typed tables the owner declares in files, made at start when they are missing.

A table that is there already is left as it is: its data decides, not the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from goop2.regular_files import list_names, read_regular, shown
from goop2.storage import columns
from goop2.storage.columns import Table
from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.layout import make_table, table_there

FOLDER: Final = "schemas"
ENDING: Final = ".json"
FILE_MAX_BYTES: Final = 1024 * 1024
"""A table has at most some hundred columns; their declarations take a tenth of this."""


def create_missing(database: Database, folder: Path, warnings: list[str] | None = None) -> list[str]:
    """Make the tables of `folder`/schemas that are missing; their names. Raises `SchemaFileError` naming file and field.

    What is no file to be read (a folder, a pipe, a link that leads out) is passed over, with a sentence in `warnings`.
    """
    told: list[str] = [] if warnings is None else warnings
    tables = [(file, read(file, content)) for file, content in _files(folder, told)]
    made = []
    for file, table in tables:
        try:
            with database.atomic():
                if table_there(database, table.name) is None:
                    make_table(database, table)
                    made.append(table.name)
        except StorageError as error:
            raise SchemaFileError(f"{file}: the table {table.name} cannot be made: {error}") from None
    return made


def _files(folder: Path, warnings: list[str]) -> Iterator[tuple[Path, bytes]]:
    """The files of `folder`/schemas that can be read, by name. Names with a dot in front are those of editors and other systems."""
    place = folder / FOLDER
    try:
        names = list_names(place, folder)
    except FileNotFoundError:
        return
    except OSError as error:
        warnings.append(f"{shown(place)} is passed over: {error.strerror}")
        return
    for name in names:
        if name.startswith(".") or not name.endswith(ENDING):
            continue
        try:
            yield place / name, read_regular(place / name, folder, FILE_MAX_BYTES)
        except FileNotFoundError:  # gone since
            continue
        except OSError as error:
            warnings.append(f"{shown(place / name)} is passed over: {error.strerror}")


def read(file: Path, content: bytes) -> Table:
    """The table a file declares, whose content is `content`. Raises `SchemaFileError`."""

    def fail(place: str, message: str) -> StorageError:
        return SchemaFileError(f"{file}: {place} {message}")

    try:
        document = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SchemaFileError(f"{file} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise SchemaFileError(f"{file} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise SchemaFileError(f"{file} cannot be read: {error}") from None
    return columns.parse_table(document, fail, columns.Source.FILE)
