"""goop.orm, goop.config and goop.template in the worker: their names and shapes. goop2.storage does the work.

Operations of a handle get the table's name first (handles.lua).
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.sandbox.answers import Answer, json, ok
from goop2.sandbox.messages import Scalar
from goop2.sandbox.worker_operations import RowAnswers, bound, decoded, operation, row_of, table_name, text_of
from goop2.storage.database import Database
from goop2.storage.errors import BusyError, DatabaseFileError, StorageError
from goop2.storage.orm_tables import OrmTables
from goop2.storage.template_group import manifest, requires_email
from goop2.storage.typed_tables import Owner

_COLUMN: Final = "the column's name"
_EXPRESSION, _BYTES = "e", "b"
"""Kinds of a value in changes of calls.lua beside plain ones."""
_Changes = list[tuple[str, str, bool | int | float | str | None]]


class OrmCalls(RowAnswers):
    """The operations; `DataCalls` gives the tables and whose run it is."""

    _database: Database
    _tables: OrmTables
    _owner: Owner

    @operation("orm")
    def _orm(self, name: bytes) -> Answer:
        return json(self._tables.handle(table_name(name)))

    @operation("orm.find")
    def _orm_find(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._rows(self._tables.find(table_name(name), decoded(options)))

    @operation("orm.find_one")
    def _orm_find_one(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._one(self._tables.find(table_name(name), decoded(options), one=True))

    @operation("orm.get")
    def _orm_get(self, name: bytes, row_id: Scalar) -> Answer:
        rows = self._tables.get(table_name(name), bound(row_id))
        if not rows.values:
            raise StorageError(f"{table_name(name)}: row {bound(row_id)!s} not found")
        return self._one(rows)

    @operation("orm.get_by")
    def _orm_get_by(self, name: bytes, column: bytes, value: Scalar = None) -> Answer:
        return self._one(self._tables.get_by(table_name(name), text_of(column, _COLUMN), bound(value)))

    @operation("orm.list")
    def _orm_list(self, name: bytes, limit: Scalar = None) -> Answer:
        # 0 means all here.
        return self._rows(self._tables.list(table_name(name), bound(limit) if limit not in (0, b"0") else None))

    @operation("orm.count")
    def _orm_count(self, name: bytes, options: bytes | None = None) -> Answer:
        return ok(self._tables.count(table_name(name), decoded(options)))

    @operation("orm.exists")
    def _orm_exists(self, name: bytes, options: bytes | None = None) -> Answer:
        try:
            return ok(self._tables.exists(table_name(name), decoded(options)))
        except (BusyError, DatabaseFileError):
            raise
        except StorageError:
            return ok(False)

    @operation("orm.pluck")
    def _orm_pluck(self, name: bytes, column: bytes, options: bytes | None = None) -> Answer:
        return self._values(self._tables.pluck(table_name(name), text_of(column, _COLUMN), decoded(options)))

    @operation("orm.distinct")
    def _orm_distinct(self, name: bytes, column: bytes, options: bytes | None = None) -> Answer:
        return self._values(self._tables.distinct(table_name(name), text_of(column, _COLUMN), decoded(options)))

    @operation("orm.aggregate")
    def _orm_aggregate(self, name: bytes, expression: bytes, options: bytes | None = None) -> Answer:
        return self._rows(self._tables.aggregate(table_name(name), text_of(expression, "the expression"), decoded(options)))

    @operation("orm.insert")
    def _orm_insert(self, name: bytes, *row: Scalar) -> Answer:
        return ok(self._tables.insert(table_name(name), row_of(row), self._owner))

    @operation("orm.update")
    def _orm_update(self, name: bytes, row_id: Scalar, *changes: Scalar) -> Answer:
        return self._changed(self._tables.update(table_name(name), bound(row_id), row_of(changes)), name, row_id)

    @operation("orm.delete")
    def _orm_delete(self, name: bytes, row_id: Scalar) -> Answer:
        return self._changed(self._tables.delete(table_name(name), bound(row_id)), name, row_id)

    def _changed(self, found: bool, name: bytes, row_id: Scalar) -> Answer:
        if not found:
            raise StorageError(f"{table_name(name)} has no row {bound(row_id)!s}")
        return ok(True)

    @operation("orm.update_where")
    def _orm_update_where(self, name: bytes, changes: bytes, options: bytes | None = None) -> Answer:
        values, expressions = _changes(changes)
        self.rows = self._tables.change_where(table_name(name), values, expressions, decoded(options))
        return ok(self.rows)

    @operation("orm.delete_where")
    def _orm_delete_where(self, name: bytes, options: bytes | None = None) -> Answer:
        self.rows = self._tables.delete_where(table_name(name), decoded(options))
        return ok(self.rows)

    @operation("orm.upsert")
    def _orm_upsert(self, name: bytes, key: bytes, *row: Scalar) -> Answer:
        return ok(self._tables.upsert(table_name(name), text_of(key, _COLUMN), row_of(row), self._owner))

    @operation("orm.seed")
    def _orm_seed(self, name: bytes, rows: bytes) -> Answer:
        self.rows = self._tables.seed(table_name(name), decoded(rows), self._owner)
        return ok(self.rows)

    @operation("orm.validate")
    def _orm_validate(self, name: bytes, *row: Scalar) -> Answer:
        self._tables.validate(table_name(name), row_of(row))
        return ok(True)

    # What sandbox/config.lua makes goop.config of.

    @operation("config.is_pairs")
    def _config_is_pairs(self, name: bytes) -> Answer:
        return ok(self._tables.is_pairs(table_name(name)))

    @operation("config.rows")
    def _config_rows(self, name: bytes) -> Answer:
        return self._rows(self._tables.configuration(table_name(name)))

    @operation("config.put")
    def _config_put(self, name: bytes, key: bytes, value: bytes) -> Answer:
        pair = {"key": text_of(key, "the key"), "value": bound(value)}
        self._tables.upsert(table_name(name), "key", pair, self._owner)
        return ok(True)

    @operation("config.change")
    def _config_change(self, name: bytes, *row: Scalar) -> Answer:
        self._tables.configure(table_name(name), row_of(row), self._owner)
        return ok(True)

    @operation("template")
    def _template(self) -> Answer:
        return json({**manifest(self._database), "require_email": requires_email(self._database)})


def _changes(text: bytes) -> tuple[dict[str, int | float | str | bytes | None], dict[str, str]]:
    """Return the values and the expressions that calls.lua sent as changes."""
    values: dict[str, int | float | str | bytes | None] = {}
    expressions: dict[str, str] = {}
    for column, kind, value in msgspec.json.decode(text, type=_Changes):
        if kind == _EXPRESSION:
            expressions[column] = str(value)
        else:
            values[column] = bytes.fromhex(str(value)) if kind == _BYTES else value
    return values, expressions
