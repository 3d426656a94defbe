"""Typed tables: the functions of goop.schema over one `Database` (manual, "goop.schema"; behaviour.md).

`_orm_schemas` defines a table. Values are checked here, before SQLite sees them. A caller's `where` and `order` are SQL, which the guard
limits to the one table. Every error is a `StorageError` that names table and column, and then nothing has been written.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from goop2.storage import columns as declared
from goop2.storage.columns import SYSTEM_COLUMNS, Column, Table, quoted
from goop2.storage.database import Database
from goop2.storage.datetimes import in_one_form
from goop2.storage.errors import DeclarationError, StorageError
from goop2.storage.guard import ONE_TABLE, SCRIPT_WRITES, Role
from goop2.storage.limits import ROWS_MAX
from goop2.storage.registry_schema import make_table, register_again, table_there
from goop2.storage.row_encoding import RowSink
from goop2.storage.schema_key_hints import of_roles
from goop2.storage.values import INTEGER_MAX, TYPES, Value, check, shown, stored, whole_number

Row = Mapping[str, object]
FIND_OPTIONS: Final = ("where", "args", "order", "limit", "offset", "fields")
COUNT_OPTIONS: Final = ("where", "args")
CREATE_OPTIONS: Final = ("access", "context", "roles")
TABLES_REMEMBERED: Final = 64


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The caller to whom a new row belongs."""

    id: str
    email: str = ""


class TypedTables:
    """The typed tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parsed: dict[str, Table] = {}

    # ── declarations ─────────────────────────────────────────────────────────────────────────

    def table(self, name: str) -> Table:
        """Return the typed table of that name. Raises `StorageError` when there is none."""
        found = self.lookup(name)
        if found is None:
            raise StorageError(f"there is no typed table {shown(name)}")
        return found

    def lookup(self, name: str) -> Table | None:
        """Return the typed table of that name, None when there is none."""
        text = self._database.scalar("SELECT schema_json FROM _orm_schemas WHERE table_name = ?", (name,))
        if not isinstance(text, str):
            return None
        # By text, not by name: when another process changes the declaration, the old one is not found any more.
        table = self._parsed.get(text)
        if table is None:
            table = parse_registered(name, text)
            if len(self._parsed) >= TABLES_REMEMBERED:
                self._parsed.clear()
            self._parsed[text] = table
        return table

    def is_there(self, name: str) -> bool:
        """Return whether a typed table of that name is registered, and in the database: another program may have dropped it."""
        return self.lookup(name) is not None and table_there(self._database, name) is not None

    def readable(self) -> list[Table]:
        """Return every typed table whose declaration can be read; a damaged one raises for whoever asks for it by name."""
        found = []
        for (name,) in self._database.rows("SELECT table_name FROM _orm_schemas ORDER BY table_name"):
            with contextlib.suppress(StorageError):
                found.append(self.table(str(name)))
        return found

    def create(self, name: str, columns: object, options: object = None) -> None:
        """Make the table, or add new optional columns to it; the same declaration again changes nothing."""
        fail = declared.failing(f"goop.schema.create {shown(name)}")
        if not isinstance(options, dict | None):
            raise fail("opts", "must be an object")
        unknown = (options or {}).keys() - set(CREATE_OPTIONS)
        if unknown:
            raise fail(min(unknown), f"is not an option; there are {', '.join(CREATE_OPTIONS)}")
        if options and options.get("roles") == []:  # what an empty table of Lua is in JSON
            options = {**options, "roles": None}
        for oddity in of_roles((options or {}).get("roles")):
            raise fail(oddity.place, oddity.message)
        # Before the transaction: a wrong declaration must not wait for the write lock.
        wanted = declared.parse_table({"name": name, "columns": columns, **(options or {})}, fail)
        with self._database.atomic():
            present = self.lookup(name) if self.is_there(name) else None
            if present is not None:
                self._extend(present, wanted, given=(options or {}).keys(), fail=fail)
            elif (there := table_there(self._database, name)) is not None:
                why = "not a typed one" if there == name else "and names differ in more than capitals"
                raise StorageError(f"goop.schema.create {shown(name)}: a table {there} is there already, {why}")
            else:
                make_table(self._database, wanted)

    def _extend(self, present: Table, wanted: Table, *, given: Collection[str], fail: declared.Fail) -> None:
        for column in wanted.columns:
            there = present.column(column.name)
            if there is not None and there != column:
                raise fail(f"column {column.name}", "is declared otherwise already; columns do not change")
            # SQLite would give old rows NULL, which such a column never holds.
            if there is None and (column.required or column.key):
                raise fail(f"column {column.name}", "is new and required; rows without it are there already, so it must be optional")
        missing = [column for column in present.columns if wanted.column(column.name) is None]
        if missing:
            raise fail(f"column {missing[0].name}", "is in the table but not in the declaration; columns are not removed")
        # A script must not open a table that the owner has closed in the console.
        if "access" in given and dict(wanted.access) != dict(present.access):
            raise fail("access", "is declared otherwise already")
        if "roles" in given and wanted.rights != present.rights:
            raise fail("roles", "are declared otherwise already")
        added = [column for column in wanted.columns if present.column(column.name) is None]
        if added:
            self._add(present, added)

    def _add(self, present: Table, added: Sequence[Column]) -> None:
        for column in added:
            if column.default is not None and column.default == declared.CURRENT.get(column.type):
                raise StorageError(f"{present.name}.{column.name}: a column added later cannot have the time of its adding as default")
            self._database.rows(f"ALTER TABLE {quoted(present.name)} ADD COLUMN {column.ddl}")
        register_again(self._database, present.name, lambda document: document["columns"].extend(column.plain() for column in added))

    def add_column(self, name: str, column: Column) -> None:
        """Add an optional column to a table, and to its declaration."""
        with self._database.atomic():
            self._add(self.table(name), [column])

    def describe(self, name: str) -> dict[str, object]:
        """Return `{name, columns}` of a table as JSON holds them. Raises `StorageError` when there is none."""
        table = self.table(name)
        if not self.is_there(name):
            raise StorageError(f"there is no typed table {shown(name)}: it is registered, and another program has dropped it")
        return {"name": table.name, "columns": [column.plain() for column in table.columns]}

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def insert(self, name: str, row: Row, owner: Owner) -> int:
        """Add a row of `owner`; return its `_id`. Raises `StorageError` for what its columns cannot hold."""
        table = self.table(name)
        values = self._checked(table, row, whole=True)
        made, numbered = self._automatic(table, values)
        values |= made | {"_owner": owner.id, "_owner_email": owner.email}
        into = ", ".join(map(quoted, (*values, *(column.name for column in numbered))))
        holes = ", ".join((*("?" for _ in values), *(_next_number(table, column) for column in numbered)))
        self._database.change(_writing("insert"), f"INSERT INTO {quoted(table.name)} ({into}) VALUES ({holes})", tuple(values.values()))
        return self._database.last_id

    def update(self, name: str, row_id: object, changes: Row, only: tuple[str, tuple[Value, ...]] = ("", ())) -> bool:
        """Change some columns of a row; False when there is no such row. `only`: SQL, and its arguments, the row must meet."""
        condition, arguments = only
        return bool(self.update_where(name, changes, f"_id = ?{condition}", (_id(self.table(name), row_id), *arguments)))

    def update_where(self, name: str, changes: Row, where: str, arguments: Sequence[Value]) -> int:
        """Change some columns of all rows that meet `where`; return how many there are."""
        table = self.table(name)
        values = self._checked(table, changes, whole=False)
        assignments = ", ".join((*(f"{quoted(column)} = ?" for column in values), "_updated_at = CURRENT_TIMESTAMP"))
        sql = f"UPDATE {quoted(table.name)} SET {assignments} WHERE {where}"
        return self._database.change(_writing("update"), sql, (*values.values(), *arguments))

    def delete(self, name: str, row_id: object, only: tuple[str, tuple[Value, ...]] = ("", ())) -> bool:
        """Remove a row; return False if there is none."""
        table = self.table(name)
        condition, arguments = only
        sql = f"DELETE FROM {quoted(table.name)} WHERE _id = ?{condition}"
        return bool(self._database.change(_writing("delete"), sql, (_id(table, row_id), *arguments)))

    def validate(self, name: str, row: Row) -> None:
        """Raise `StorageError` if the row could not be inserted."""
        self._checked(self.table(name), row, whole=True)

    def _checked(self, table: Table, row: Row, *, whole: bool) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, value in row.items():
            column = table.column(name)
            if column is None:
                raise StorageError(_not_a_column(table, name))
            if whole and (value is None or (value == "" and column.auto)):
                continue  # as if it had not been given: the default is for it
            values[name] = _checked_value(table, column, value)
        for column in table.columns if whole else ():
            if _is_needed(column) and column.name not in values:
                raise StorageError(f"{table.name}.{column.name} is required")
        return values

    def _automatic(self, table: Table, given: Mapping[str, Value]) -> tuple[dict[str, Value], list[Column]]:
        """Return what `auto` columns without a value get, and those of them that SQLite numbers."""
        missing = [column for column in table.columns if column.auto and column.name not in given]
        made = {column.name: make() for column in missing if (make := TYPES[column.type].automatic) is not None}
        return made, [column for column in missing if column.name not in made]

    # ── reading ──────────────────────────────────────────────────────────────────────────────

    def get(self, name: str, row_id: object) -> RowSink:
        """Return the row with this `_id`, or no row."""
        table = self.table(name)
        return self._database.query(_reading(table), f"SELECT * FROM {quoted(table.name)} WHERE _id = ?", (_id(table, row_id),))

    def list(self, name: str, limit: object = None) -> RowSink:
        """Return rows of a table in the order of `_id`."""
        table = self.table(name)
        end = _count(table, "limit", limit)
        sql = f"SELECT * FROM {quoted(table.name)} ORDER BY _id LIMIT ?"
        return self._database.query(_reading(table, "goop.schema.list"), sql, (end,))

    def find(self, name: str, options: object = None, *, one: bool = False) -> RowSink:
        """Return the rows that meet `options` (FIND_OPTIONS); only the first with `one`."""
        table = self.table(name)
        options = options_of(table, "find", options, FIND_OPTIONS)
        # Asked of SQLite, not cut here: it stops at the first row.
        if one:
            options = {**options, "limit": 1}
        sql, arguments = selection(table, options)
        return self._database.query(_reading(table, "goop.schema.find"), sql, arguments)

    def count(self, name: str, options: object = None) -> int:
        """Return how many rows meet `options` (COUNT_OPTIONS); all of them without."""
        table = self.table(name)
        options = options_of(table, "count", options, COUNT_OPTIONS)
        where = option_sql(table, options, "where")
        where, arguments = in_one_form(table, where, option_arguments(table, options))
        sql = f"SELECT count(*) FROM {quoted(table.name)}" + (f" WHERE (\n{where}\n)" if where else "")
        found = self._database.first_value(_reading(table, "goop.schema.count"), sql, arguments)
        assert isinstance(found, int)
        return found

    def seed(self, name: str, rows: object, owner: Owner) -> int:
        """Insert `rows` when the table holds none; return how many went in. A row that cannot be inserted is passed over."""
        table = self.table(name)
        if not isinstance(rows, list) or any(not isinstance(row, dict) and row != [] for row in rows):  # Lua's {} is a list
            raise StorageError(f"{table.name}: seed takes a list of rows")
        inserted = 0
        with self._database.atomic():
            # Inside the transaction: two calls at once must not both find an empty table.
            if self.count(name):
                return 0
            for row in rows:
                with contextlib.suppress(StorageError):
                    self.insert(name, row or {}, owner)
                    inserted += 1
        return inserted


def options_of(table: Table, function: str, options: object, known: Sequence[str]) -> dict[str, object]:
    """Return what a script gave as options. Raises `StorageError` for one that is not `known`."""
    if options is None or options == []:
        return {}
    if not isinstance(options, dict):
        raise StorageError(f"{table.name}: the options of {function} must be a table")
    unknown = options.keys() - set(known)
    if unknown:
        raise StorageError(f"{table.name}: {min(unknown)} is not an option of {function}; there are {', '.join(known)}")
    return options


def option_arguments(table: Table, options: Mapping[str, object]) -> list[Value]:
    """Return `args` of a script's options. Raises `StorageError`."""
    arguments = options.get("args")
    if arguments is None:
        return []
    if not isinstance(arguments, list) or any(isinstance(each, list | dict) for each in arguments):
        raise StorageError(f"{table.name}: args must be a list of texts and numbers")
    return arguments


def selection(table: Table, options: Mapping[str, object], source: str = "") -> tuple[str, tuple[Value, ...]]:
    """Return a SELECT over `source`, the table itself if empty, and its arguments."""
    fields = _fields(table, options.get("fields"))
    sql = f"SELECT {fields} FROM {source or quoted(table.name)}"
    where, order = option_sql(table, options, "where"), option_sql(table, options, "order")
    where, arguments = in_one_form(table, where, option_arguments(table, options))
    # A line of its own: a comment in the text ends with it.
    sql += f" WHERE (\n{where}\n)" if where else ""
    sql += f" ORDER BY\n{order}\n" if order else " ORDER BY _id"
    limit, offset = _count(table, "limit", options.get("limit")), _count(table, "offset", options.get("offset"), 0)
    return f"{sql} LIMIT {limit} OFFSET {offset}", arguments


def parse_registered(name: str, text: str) -> Table:
    """Return a table from `_orm_schemas`. Raises `DeclarationError` naming the registry if the text is damaged."""

    def fail(place: str, message: str) -> StorageError:
        return DeclarationError(f"_orm_schemas, table {shown(name)}: {place} {message}")

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise fail("schema_json", "is not JSON") from None
    table = declared.parse_table(document, fail, declared.DeclarationSource.REGISTRY)
    if table.name != name:
        raise fail("name", f"is {shown(table.name)}")
    return table


def _reading(table: Table, name: str = "goop.schema") -> Role:
    return Role(ONE_TABLE, name, table.name)


def _writing(function: str) -> Role:
    return Role(SCRIPT_WRITES, f"goop.schema.{function}")  # triggers of the table are held to it too


def _next_number(table: Table, column: Column) -> str:
    # By sum(), which fails where + would go over into a REAL.
    return f"(SELECT sum(n) FROM (SELECT max({quoted(column.name)}) AS n FROM {quoted(table.name)} UNION ALL SELECT 1))"


def _is_needed(column: Column) -> bool:
    return (column.required or column.key) and column.default is None and not column.auto


def _not_a_column(table: Table, name: str) -> str:
    if name in SYSTEM_COLUMNS:
        return f"{table.name}.{name} is set by the peer, not by scripts"
    return f"{table.name} has no column {shown(name)}; it has {declared.names(table.columns)}"


def _checked_value(table: Table, column: Column, value: object) -> Value:
    if value is None:
        if column.required or column.key:
            raise StorageError(f"{table.name}.{column.name} is required")
        return None
    message = check(column.type, column.keys, value)
    if message:
        raise StorageError(f"{table.name}.{column.name} {message}")
    return stored(column.type, value)


def _id(table: Table, value: object) -> int:
    number = whole_number(value, -INTEGER_MAX)
    if number is None:
        raise StorageError(f"{table.name}: _id is a whole number, not {shown(value)}")
    return number


def _count(table: Table, what: str, value: object, default: int = ROWS_MAX + 1) -> int:
    if value is None:
        return default
    number = whole_number(value)
    if number is None:
        raise StorageError(f"{table.name}: {what} is a whole number from 0, not {shown(value)}")
    return number


def option_sql(table: Table, options: Mapping[str, object], name: str) -> str:
    """Return a text of SQL of a script's options, stripped; "" when there is none. Raises `StorageError`."""
    text = options.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise StorageError(f"{table.name}: {name} is a text, not {shown(text)}")
    return text.strip()


def _fields(table: Table, fields: object) -> str:
    if fields is None or fields == []:
        return "*"
    if not isinstance(fields, list):
        raise StorageError(f"{table.name}: fields is a list of columns")
    for field in fields:
        if field not in table.all_names:
            raise StorageError(f"{table.name} has no column {shown(field)}")
    return ", ".join(map(quoted, fields))
