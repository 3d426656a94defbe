"""schemas/*.json: typed tables that the owner declares in files, made when they are missing.

An existing table stays as it is registered: its data decides, not the file. Only new optional columns of a file are added. Nothing in a
file stops anything: what cannot be done is one warning a file, with the place and the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from goop2.folder.regular_files import list_names, read_regular, shown
from goop2.protocols.untrusted_json import doubled_key, with_doubled_keys
from goop2.storage import columns
from goop2.storage.columns import Column, Table
from goop2.storage.database import Database
from goop2.storage.errors import SchemaFileError, StorageError
from goop2.storage.policies import LOCAL
from goop2.storage.registry_schema import make_table, register_again, table_there
from goop2.storage.schema_key_hints import Oddity, oddities
from goop2.storage.typed_tables import TypedTables

FOLDER: Final = "schemas"
ENDING: Final = ".json"
FILE_MAX_BYTES: Final = 1024 * 1024
"""A table of 100 columns with long enumerations takes a tenth of it."""
WARNINGS_MAX: Final = 100
ODDITIES_MAX: Final = 10
"""Named of one file; whoever made more mistakes than that mends these first."""

WHO_MAY_READ: Final = {
    "open": "anyone may read it",
    "group": "members of the site's group may read it",
    "email": "callers who give an e-mail address may read it, and nobody checks the address",
    "owner": "callers may read the rows they made",
    "local": "you alone may read it",
}
"""Read policy → the sentence for the owner."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The table that a schema file declares."""

    table: Table
    odd: tuple[Oddity, ...]
    says_access: bool
    """Whether it names policies at all; without, a table's are as registered and nothing is to be said."""

    @property
    def closed(self) -> bool:
        """Return whether a new table of it is `local` until the file is mended."""
        return any(oddity.closes for oddity in self.odd)


def apply_files(database: Database, folder: Path) -> list[str]:
    """Make the tables of `folder`/schemas that are missing and add new optional columns; return a warning for each file with anything else.

    The write lock is taken only where something is to be written.
    """
    warnings = []
    try:
        names = [name for name in list_names(folder / FOLDER, folder) if _counts(name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        return [f"{shown(folder / FOLDER)} is passed over: {error.strerror}"]
    for name in names:
        file = folder / FOLDER / name
        try:
            problems = list(_apply(database, file, folder))
        except FileNotFoundError:  # gone since
            continue
        except OSError as error:
            warnings.append(f"{shown(file)} is passed over: {error.strerror}")
            continue
        if problems:
            warnings.append(f"{shown(file)}: {'; '.join(problems)}")
    more = [f"{len(warnings) - WARNINGS_MAX} more files in {shown(folder / FOLDER)} have warnings"] if len(warnings) > WARNINGS_MAX else []
    return [*warnings[:WARNINGS_MAX], *more]


def _counts(name: str) -> bool:
    """Return whether a file is meant as a schema, and is not a leftover of an editor or a file manager."""
    return name.endswith(ENDING) and not name.startswith(".")


def _apply(database: Database, file: Path, folder: Path) -> Iterator[str]:
    try:
        declared = read(file, folder)
    except SchemaFileError as error:
        yield f"{error}. No table is made of it"
        return
    try:
        yield from _of_declared(database, declared)
    except StorageError as error:
        yield f"the table {declared.table.name} cannot be made or changed: {error}"


def _of_declared(database: Database, declared: Declared) -> Iterator[str]:
    yield from map(str, sorted(declared.odd, key=lambda oddity: not oddity.closes)[:ODDITIES_MAX])
    if len(declared.odd) > ODDITIES_MAX:
        yield f"{len(declared.odd) - ODDITIES_MAX} more keys of it are not known"
    present = TypedTables(database).lookup(declared.table.name)
    if present is None:
        yield from make_declared(database, declared)
        return
    if not declared.closed and _is_held(database, present.name):
        _open_again(database, declared.table)
        present = TypedTables(database).table(present.name)
    elif declared.closed and not _is_held(database, present.name):
        yield f"the table {present.name} keeps the policies it is registered with, so {WHO_MAY_READ[present.access['read']]}"
    elif declared.closed:
        yield _held(present)
    yield from _compare(database, present, declared)


def make_declared(database: Database, declared: Declared) -> Iterator[str]:
    """Make the table of a schema file, closed to others where the file is odd; yield why that, or nothing, was made."""
    table = declared.table
    with database.atomic():
        there = table_there(database, table.name)
        if there is None:
            make_table(database, msgspec.structs.replace(table, access=dict(LOCAL)) if declared.closed else table)
            if declared.closed:
                database.rows("INSERT OR REPLACE INTO _py_held_tables (name) VALUES (?)", (table.name,))
    if there is not None:
        yield f"there is a table {there} already that is not typed, so none is made; rename one of the two"
    elif declared.closed:
        yield _held(table)


def _held(table: Table) -> str:
    return f"until that is mended the table {table.name} is for you alone (local)"


def _is_held(database: Database, name: str) -> bool:
    return database.scalar("SELECT 1 FROM _py_held_tables WHERE name = ?", (name,)) is not None


def _open_again(database: Database, table: Table) -> None:
    """Give a table that was closed for a mistake in its file the policies of the corrected one."""
    with database.atomic():
        register_again(database, table.name, lambda document: document.update(access=dict(table.access), roles=table.roles))
        database.rows("UPDATE _tables SET insert_policy = ? WHERE name = ?", (table.access["insert"], table.name))
        database.rows("DELETE FROM _py_held_tables WHERE name = ?", (table.name,))


def _compare(database: Database, present: Table, declared: Declared) -> Iterator[str]:
    """Add what can be added; return the other differences."""
    added: list[Column] = []
    for column in declared.table.columns:
        there = present.column(column.name)
        if there is None and not (column.required or column.key):
            added.append(column)
        elif there is None:
            yield (
                f"the column {column.name} is new and required, and rows without it may be there already: "
                "make it optional, or make a new table and copy the rows"
            )
        elif there != column:
            yield f"the column {column.name} is declared otherwise than in the table, which stays as it is"
    for column in present.columns:
        if declared.table.column(column.name) is None:
            yield f"the table has a column {column.name} that the file does not have; columns are not removed by a file"
    if declared.says_access and not declared.closed and dict(declared.table.access) != dict(present.access):
        yield "access is declared otherwise than in the table; its policies are not changed by a file"
    for column in added:
        try:
            TypedTables(database).add_column(present.name, column)
        except StorageError as error:
            yield f"the column {column.name} cannot be added: {error}"


def read(file: Path, folder: Path) -> Declared:
    """Return the table that a file declares, and what is odd in it.

    Raises `SchemaFileError` when there is no table in it, and `OSError` when it is not to be read (folder/regular_files.py).
    """
    return declared_in(document_of(file, folder))


def declared_in(document: dict[str, Any]) -> Declared:
    """Return the table that the document of a schema file declares, and what is odd in it. Raises `SchemaFileError`."""
    odd = tuple(oddities(document))
    access_is_odd = any(oddity.place.partition(".")[0] == "access" for oddity in odd)
    given: Any = {**document, "access": None} if access_is_odd else document
    if not isinstance(given.get("roles"), dict):
        given = {**given, "roles": None}
    try:
        table = columns.parse_table(given, _fail, columns.DeclarationSource.FILE)
    except SchemaFileError as error:
        # A key that is misspelt may be the one that is missing.
        raise SchemaFileError("; ".join(map(str, [*odd, error]))) from None
    return Declared(table, odd, bool(document.get("access")))


def _fail(place: str, message: str) -> StorageError:
    return SchemaFileError(f"{place} {message}")


def document_of(file: Path, folder: Path) -> dict[str, Any]:
    """Return what stands in a schema file, as JSON. Raises `SchemaFileError`, `OSError`."""
    if shown(file.name) != file.name:
        raise SchemaFileError("its name is not UTF-8: rename it")
    return parse_document(read_regular(file, folder, FILE_MAX_BYTES))


def parse_document(content: bytes) -> dict[str, Any]:
    """Return the content of a schema file as JSON. Raises `SchemaFileError`."""
    if len(content) > FILE_MAX_BYTES:
        raise SchemaFileError(f"it is larger than {FILE_MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SchemaFileError(f"it is not UTF-8 (byte {error.start + 1}): save it in that encoding") from None
    if not text.strip():
        raise SchemaFileError("it is empty; a table has a name and columns")
    try:
        document = json.loads(text, object_pairs_hook=with_doubled_keys)
    except json.JSONDecodeError as error:
        raise SchemaFileError(f"it is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise SchemaFileError("it is not JSON that can be read: it is nested too deeply, or a number in it is too long") from None
    if doubled := doubled_key(document):
        raise SchemaFileError(f"{doubled} is there twice, and only one of the two would count: make one of them")
    if not isinstance(document, dict):
        raise SchemaFileError("the whole must be an object with name and columns")
    return document
