"""schemas/*.json: typed tables the owner declares in files, made at start when they are missing.

A table that is there already is left as it is: its data decides, not the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from goop2.storage import columns
from goop2.storage.columns import Table
from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.layout import make_table, table_there

FOLDER: Final = "schemas"


def create_missing(database: Database, folder: Path) -> list[str]:
    """Make the tables of `folder`/schemas that are missing; their names. Raises `SchemaFileError` naming file and field."""
    tables = [(file, read(file)) for file in sorted((folder / FOLDER).glob("*.json"))]
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


def read(file: Path) -> Table:
    """The table a file declares. Raises `SchemaFileError`."""

    def fail(place: str, message: str) -> StorageError:
        return SchemaFileError(f"{file}: {place} {message}")

    try:
        document = json.loads(file.read_text("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise SchemaFileError(f"{file} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SchemaFileError(f"{file} cannot be read: {error}") from None
    return columns.parse_table(document, fail, columns.Source.FILE)
