"""Changes of tables that the owner of a site makes by hand: create, add and drop columns, rename, delete.

Each runs inside a transaction and keeps the registries in step. Whoever calls has made sure that it is the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from goop2.storage import columns as declared
from goop2.storage.columns import NAME, NAME_ALLOWED, SYSTEM_COLUMNS, SYSTEM_DDL, quoted
from goop2.storage.database import Database
from goop2.storage.errors import AccessError, StorageError
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.registry_schema import column_names, register_again, table_there, unregister, user_tables
from goop2.storage.typed_tables import TypedTables
from goop2.storage.values import shown

Request = Mapping[str, object]


def create_table(database: Database, request: Request) -> dict[str, object]:
    """Return a classic table of `column_defs`, each with name, type, not_null and default."""
    name = _new_name(database, request.get("name") or request.get("table"))
    columns = declared.parse_columns(_plain_columns(request.get("column_defs")), declared.failing(name))
    ddl = f"CREATE TABLE {quoted(name)} ({', '.join((*SYSTEM_DDL, *(column.ddl for column in columns)))})"
    database.rows(ddl)
    database.rows("INSERT OR REPLACE INTO _tables (name, schema) VALUES (?, ?)", (name, ddl))
    return {"status": "created"}


def add_column(database: Database, request: Request) -> dict[str, object]:
    """One column more, `column`: an object with name, type, default."""
    table = _table(database, request)
    (column,) = declared.parse_columns(_plain_columns([request.get("column")]), declared.failing(table))
    TypedTables(database).lookup(table)  # raises where it could not be added to its declaration
    if len(column_names(database, table)) - len(SYSTEM_COLUMNS) >= COLUMNS_MAX:
        raise StorageError(f"{table} has {COLUMNS_MAX} columns or more already, and takes no further one")
    if column.required and column.default is None:
        raise StorageError(f"{table}.{column.name} is added to rows that do not have it, so it needs a default or must not be required")
    database.rows(f"ALTER TABLE {quoted(table)} ADD COLUMN {column.ddl}")
    register_again(database, table, lambda document: document["columns"].append(column.plain()))
    return {"status": "added"}


def drop_column(database: Database, request: Request) -> dict[str, object]:
    """One column less, `column`: its name."""
    table, column = _table(database, request), request.get("column")
    if not isinstance(column, str) or column in SYSTEM_COLUMNS or column not in column_names(database, table):
        raise StorageError(f"{table} has no column {shown(column)} to drop")
    typed = TypedTables(database).lookup(table)
    # SQLite would refuse it too, since an index stands on it, but in words about an index its owner never made.
    if typed is not None and column in typed.key_names:
        raise StorageError(f"{table}.{column} is part of the table's key, so it stays; make a table without it and copy the rows")
    database.rows(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(column)}")

    def without_it(document: dict[str, Any]) -> None:
        document["columns"] = [each for each in document["columns"] if each["name"] != column]

    register_again(database, table, without_it)
    return {"status": "dropped"}


def rename_table(database: Database, request: Request) -> dict[str, object]:
    """Rename the table `old_name` to `new_name`, in the registries too."""
    old = _existing(database, request.get("old_name") or request.get("table"))
    new = _new_name(database, request.get("new_name"))
    TypedTables(database).lookup(old)  # raises where it could not be renamed in its declaration
    database.rows(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(new)}")
    database.rows("UPDATE _tables SET name = ? WHERE name = ?", (new, old))
    database.rows("UPDATE _orm_schemas SET table_name = ? WHERE table_name = ?", (new, old))
    database.rows("UPDATE OR REPLACE _py_held_tables SET name = ? WHERE name = ?", (new, old))
    register_again(database, new, lambda document: document.update(name=new))
    return {"status": "renamed"}


def delete_table(database: Database, request: Request) -> dict[str, object]:
    """Delete the table with its rows, and forget it in the registries."""
    table = _table(database, request)
    database.rows(f"DROP TABLE {quoted(table)}")
    unregister(database, table)
    return {"status": "deleted"}


def _table(database: Database, request: Request) -> str:
    return _existing(database, request.get("table") or request.get("name"))


def _existing(database: Database, name: object) -> str:
    # Exactly as it is written: SQLite ignores capitals, the registries do not.
    if not isinstance(name, str) or name not in user_tables(database):
        raise AccessError("not_found", f"there is no table {shown(name)}")
    return name


def _new_name(database: Database, name: object) -> str:
    if not isinstance(name, str) or not NAME.match(name):
        raise StorageError(f"the table's name is {shown(name)}; allowed is {NAME_ALLOWED}")
    if (there := table_there(database, name)) is not None:
        raise StorageError(f"there is a table {there} already")
    return name


def _plain_columns(document: object) -> object:
    """Columns as the data protocol names their fields → as a declaration does."""
    if not isinstance(document, list):
        return document
    return [_plain_column(each) if isinstance(each, dict) else each for each in document]


def _plain_column(column: Mapping[str, object]) -> dict[str, object]:
    kind = column.get("type")
    plain: dict[str, object] = {"name": column.get("name"), "type": kind.lower() if isinstance(kind, str) else kind}
    if column.get("not_null") or column.get("required"):
        plain["required"] = True
    if column.get("default") is not None:
        plain["default"] = column["default"]
    return plain


CHANGES: Final[Mapping[str, Callable[[Database, Request], dict[str, object]]]] = {
    "create-table": create_table,
    "add-column": add_column,
    "drop-column": drop_column,
    "rename-table": rename_table,
    "delete-table": delete_table,
}
"""Operation of the data protocol → the change."""
