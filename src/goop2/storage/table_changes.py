"""Changes of tables that the owner of a site makes by hand: create, add and drop columns, rename, delete.

Each runs inside a transaction and keeps the registries in step. The caller has checked that it is the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from goop2.storage import columns as declared
from goop2.storage import page_columns
from goop2.storage.columns import NAME, NAME_ALLOWED, SYSTEM_COLUMNS, SYSTEM_DDL, quoted
from goop2.storage.database import Database
from goop2.storage.errors import AccessError, StorageError
from goop2.storage.limits import COLUMNS_MAX
from goop2.storage.policies import CLASSIC
from goop2.storage.registry_schema import column_names, make_table, register_again, table_there, unregister, user_tables
from goop2.storage.typed_tables import TypedTables
from goop2.storage.values import shown

Request = Mapping[str, object]

TYPED_MODE: Final = "orm"
CLASSIC_MODE: Final = "classic"
"""What other peers call the two kinds of tables."""


def create_table(database: Database, request: Request) -> dict[str, object]:
    """Create a table of `columns` (or `column_defs`), typed or classic by their form; return its name and kind."""
    name = _new_name(database, request.get("name") or request.get("table"))
    given = request.get("columns") or request.get("column_defs")
    if page_columns.is_typed(given):
        document = {"name": name, "columns": page_columns.typed_columns(given), "access": request.get("access")}
        make_table(database, declared.parse_table(document, declared.failing(name)))
        return {"status": "created", "table": name, "mode": TYPED_MODE}
    ddl = f"CREATE TABLE {quoted(name)} ({', '.join((*SYSTEM_DDL, *page_columns.classic_ddl(given, name)))})"
    database.rows(ddl)
    database.rows("INSERT OR REPLACE INTO _tables (name, schema) VALUES (?, ?)", (name, ddl))
    return {"status": "created", "table": name, "mode": CLASSIC_MODE}


def add_column(database: Database, request: Request) -> dict[str, object]:
    """One column more, `column`: an object with name, type, not_null, default."""
    table, given = _table(database, request), request.get("column")
    if not isinstance(given, dict):
        raise StorageError(f"{table}: column must be an object with name and type")
    typed = TypedTables(database).lookup(table)  # raises where it could not be added to its declaration
    if len(column_names(database, table)) - len(SYSTEM_COLUMNS) >= COLUMNS_MAX:
        raise StorageError(f"{table} has {COLUMNS_MAX} columns or more already, and takes no further one")
    if typed is None and not page_columns.is_typed([given]):
        needed, has_default = bool(given.get("not_null")), page_columns.has_default(given)
        name, ddl = given.get("name"), page_columns.classic_column(given, f"{table}: column")
        added: dict[str, object] = {}
    else:
        (column,) = declared.parse_columns(page_columns.typed_columns([given]), declared.failing(table))
        needed, has_default = column.required, column.default is not None
        name, ddl, added = column.name, column.ddl, column.plain()
    if needed and not has_default:
        raise StorageError(f"{table}.{name} is added to rows that do not have it, so it needs a default or must not be required")
    database.rows(f"ALTER TABLE {quoted(table)} ADD COLUMN {ddl}")
    register_again(database, table, lambda document: document["columns"].append(added))
    return {"status": "added"}


def set_policy(database: Database, request: Request) -> dict[str, object]:
    """Set who may add rows, `policy`: of a typed table its policy for `insert`."""
    table, policy = _table(database, request), request.get("policy")
    typed = TypedTables(database).lookup(table)
    allowed = tuple(CLASSIC) if typed is None else declared.POLICIES
    if policy not in allowed:
        raise StorageError(f"policy is {shown(policy)}; allowed is {', '.join(allowed)}")

    def with_policy(document: dict[str, Any]) -> None:
        document["access"] = {**(document.get("access") or declared.DEFAULT_ACCESS), "insert": policy}

    register_again(database, table, with_policy)
    database.rows(
        "INSERT OR IGNORE INTO _tables (name, schema) SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
    )
    database.rows("UPDATE _tables SET insert_policy = ? WHERE name = ?", (str(policy), table))
    return {"status": "updated"}


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


CHANGES: Final[Mapping[str, Callable[[Database, Request], dict[str, object]]]] = {
    "create-table": create_table,
    "add-column": add_column,
    "drop-column": drop_column,
    "rename-table": rename_table,
    "delete-table": delete_table,
    "set-policy": set_policy,
}
"""Operation of the data protocol → the change."""
