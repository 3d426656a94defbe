"""The methods of a goop.orm handle that goop.schema does not have, and the tables of goop.config (existing-sites.md, 2.1 to 2.3).

Here too `where`, `order` and expressions are SQL of the script, and the guard limits them to the one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from goop2.storage import columns as declared
from goop2.storage.columns import OPERATIONS, Column, Table, quoted
from goop2.storage.datetimes import in_one_form
from goop2.storage.errors import StorageError
from goop2.storage.expressions import checked_expression
from goop2.storage.guard import ONE_TABLE, ONE_TABLE_WRITES, Role
from goop2.storage.row_encoding import RowSink
from goop2.storage.typed_tables import Owner, Row, TypedTables, option_arguments, option_sql, options_of, selection
from goop2.storage.values import Value, shown

WHERE_OPTIONS: Final = ("where", "args")
PLUCK_OPTIONS: Final = (*WHERE_OPTIONS, "order", "limit")
AGGREGATE_OPTIONS: Final = (*WHERE_OPTIONS, "group_by")
PAIR: Final = ("key", "value")
"""The columns that make a table of goop.config one of pairs."""


class OrmTables(TypedTables):
    """The typed tables of one database, as goop.orm and goop.config have them."""

    def orm_table(self, name: str) -> Table:
        """Return the typed table of that name. Raises `StorageError` in the words of existing sites."""
        if not self.is_there(name):
            raise StorageError(f"not an ORM table: {name}")
        return self.table(name)

    def handle(self, name: str) -> dict[str, object]:
        """Return the fields of a handle."""
        table = self.orm_table(name)
        fields: dict[str, object] = {
            "name": table.name,
            "system_key": not table.key_names,
            "context": bool(table.context),
            "columns": [_shown_column(column) for column in table.columns],
        }
        if table.access:
            fields["access"] = {operation: table.access[operation] for operation in OPERATIONS}
        return fields

    def get_by(self, name: str, column: str, value: Value) -> RowSink:
        """Return the first row in which `column` is `value`, or no row."""
        table = self.table(name)
        where = f"{quoted(_named(table, column))} = ?"
        sql, arguments = selection(table, {"where": where, "args": [value], "limit": 1})
        return self._database.query(_reading(table, "get_by"), sql, arguments)

    def pluck(self, name: str, column: str, options: object) -> RowSink:
        """Return one column of the rows that meet `options` (PLUCK_OPTIONS)."""
        table = self.table(name)
        given = options_of(table, "pluck", options, PLUCK_OPTIONS)
        sql, arguments = selection(table, {**given, "fields": [_named(table, column)]})
        return self._database.query(_reading(table, "pluck"), sql, arguments)

    def distinct(self, name: str, column: str, options: object) -> RowSink:
        """Return the different values of one column, ascending, of the rows that meet `options` (WHERE_OPTIONS)."""
        table = self.table(name)
        wanted = quoted(_named(table, column))
        where, arguments = _where(table, options_of(table, "distinct", options, WHERE_OPTIONS))
        sql = f"SELECT DISTINCT {wanted} FROM {quoted(table.name)}{where} ORDER BY {wanted}"
        return self._database.query(_reading(table, "distinct"), sql, arguments)

    def aggregate(self, name: str, expression: str, options: object) -> RowSink:
        """Return the rows of `SELECT expression`, over those that meet `options` (AGGREGATE_OPTIONS), for each group_by."""
        table = self.table(name)
        given = options_of(table, "aggregate", options, AGGREGATE_OPTIONS)
        if not expression.strip():
            raise StorageError(f"{table.name}: aggregate takes what to compute, such as COUNT(*) AS n")
        where, arguments = _where(table, given)
        group = option_sql(table, given, "group_by")
        sql = f"SELECT\n{expression}\nFROM {quoted(table.name)}{where}" + (f" GROUP BY\n{group}\n" if group else "")
        return self._database.query(_reading(table, "aggregate"), sql, arguments)

    def exists(self, name: str, options: object) -> bool:
        """Return whether a row meets `options` (WHERE_OPTIONS)."""
        table = self.table(name)
        given = options_of(table, "exists", options, WHERE_OPTIONS)
        sql, arguments = selection(table, {**given, "fields": ["_id"], "limit": 1})
        return bool(self._database.query(_reading(table, "exists"), sql, arguments).values)

    def change_where(self, name: str, changes: Row, expressions: Mapping[str, str], options: object) -> int:
        """Change columns of the rows that meet `options`, to values and to `expressions` of the row itself; how many there are."""
        table = self.table(name)
        where, arguments = self._needed(table, "update_where", options)
        values = self._checked(table, changes, whole=False)
        computed = {
            column: checked_expression(f"{table.name}.{self.own_column(table, column).name}", text) for column, text in expressions.items()
        }
        if not values and not computed:
            raise StorageError(f"{table.name}: update_where was given no column to change")
        assignments = [*(f"{quoted(column)} = ?" for column in values), *(f"{quoted(column)} = {sql}" for column, sql in computed.items())]
        sql = f"UPDATE {quoted(table.name)} SET {', '.join((*assignments, '_updated_at = CURRENT_TIMESTAMP'))}{where}"
        role = _writing(table, "update_where", frozenset((*values, *computed, "_updated_at")))
        return self._database.change(role, sql, (*values.values(), *arguments))

    def delete_where(self, name: str, options: object) -> int:
        """Remove the rows that meet `options`; how many there were."""
        table = self.table(name)
        where, arguments = self._needed(table, "delete_where", options)
        return self._database.change(_writing(table, "delete_where"), f"DELETE FROM {quoted(table.name)}{where}", arguments)

    def _needed(self, table: Table, function: str, options: object) -> tuple[str, tuple[Value, ...]]:
        where, arguments = _where(table, options_of(table, function, options, WHERE_OPTIONS))
        if not where:
            raise StorageError(f"{table.name}: {function} requires a where clause")
        return where, arguments

    def upsert(self, name: str, key: str, row: Row, owner: Owner) -> int:
        """Change the first row whose column `key` is that of `row`, or insert it; return its `_id`."""
        table = self.table(name)
        column = self.own_column(table, key)
        if row.get(key) is None:
            raise StorageError(f"{table.name}: the row must contain key column {shown(key)}")
        wanted = self._checked(table, {key: row[key]}, whole=False)[column.name]
        with self._database.atomic():
            sql = f"SELECT _id FROM {quoted(table.name)} WHERE {quoted(column.name)} = ? ORDER BY _id LIMIT 1"
            row_id = self._database.first_value(_reading(table, "upsert"), sql, (wanted,))
            if row_id is None:
                return self.insert(name, row, owner)
            others = {column: value for column, value in row.items() if column != key}
            self.update(name, row_id, others)
            return int(row_id)

    # ── goop.config ──────────────────────────────────────────────────────────────────────────

    def is_pairs(self, name: str) -> bool:
        """Return whether a table of goop.config holds pairs; else its newest row is the configuration."""
        table = self.orm_table(name)
        return all(table.column(column) is not None for column in PAIR)

    def configuration(self, name: str) -> RowSink:
        """Return the pairs of a configuration, or its one row."""
        table = self.table(name)
        options = {"fields": list(PAIR)} if self.is_pairs(name) else {"fields": _names(table), "order": "_id DESC", "limit": 1}
        sql, arguments = selection(table, options)
        return self._database.query(_reading(table, "config", "goop"), sql, arguments)

    def configure(self, name: str, row: Row, owner: Owner) -> None:
        """Change columns of the one row of a configuration, or insert it."""
        table = self.table(name)
        with self._database.atomic():
            row_id = self._database.first_value(_reading(table, "config", "goop"), f"SELECT max(_id) FROM {quoted(table.name)}")
            if row_id is None:
                self.insert(name, row, owner)
            else:
                self.update(name, row_id, row)

    def own_column(self, table: Table, name: str) -> Column:
        """Return the site's own column of that name. Raises `StorageError`."""
        self._checked(table, {name: None} if table.column(name) is None else {}, whole=False)
        column = table.column(name)
        assert column is not None
        return column


def _shown_column(column: Column) -> dict[str, object]:
    return {"key": False, "required": False, "auto": False, **column.plain()}


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _named(table: Table, column: str) -> str:
    if column not in table.all_names:
        raise StorageError(f"{table.name} has no column {shown(column)}; it has {declared.names(table.columns)}")
    return column


def _where(table: Table, options: Mapping[str, object]) -> tuple[str, tuple[Value, ...]]:
    where, arguments = in_one_form(table, option_sql(table, options, "where"), option_arguments(table, options))
    # A line of its own: a comment in the text ends with it.
    return (f" WHERE (\n{where}\n)" if where else ""), arguments


def _reading(table: Table, function: str, group: str = "goop.orm") -> Role:
    return Role(ONE_TABLE, f"{group}.{function}", table.name)


def _writing(table: Table, function: str, columns: frozenset[str] = frozenset()) -> Role:
    return Role(ONE_TABLE_WRITES, f"goop.orm.{function}", table.name, columns=columns)
