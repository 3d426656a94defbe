"""Keep datetime columns of typed tables in one form, so that their order as text is their order in time.

Values get that form when they are written (values.py). This module converts rows that were written in another way: by an earlier version,
by another program of the network in a folder that moved here, or by SQL of a script.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw

from goop2.storage.columns import Table, quoted
from goop2.storage.database import Database, Value
from goop2.storage.errors import DatabaseFileError
from goop2.storage.registry_schema import column_names, computed_names
from goop2.storage.values import check, instant

_SAME_INSTANT: Final = "_py_instant"
_ONE_FORM: Final = ("????-??-?? ??:??:??", "????-??-?? ??:??:??.???")
"""GLOB patterns of what `values.instant` gives: to look for anything else takes 80 ms in a million rows."""
_ISO_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}")
_LITERAL: Final = re.compile(r"'([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}[0-9:.+Zz-]*)'")
_ISO_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
"""Not `now` and the like, which SQLite takes for times too."""
_SYSTEM: Final = ("_created_at", "_updated_at")


def unify(database: Database, tables: Iterable[Table], classic: Iterable[str] = ()) -> None:
    """Convert every datetime of these typed tables into one form, and those of `classic` tables that their rows have from us; a value that
    is no time stays as it is. Raises `StorageError`.

    Triggers do not fire: they came with the folder, and this is not their business.
    """
    connection = database.connection
    connection.create_scalar_function(_SAME_INSTANT, _same_instant, 1, deterministic=True)
    fired_before = connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, -1)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        for table in tables:
            _unify_columns(database, table.name, (*_SYSTEM, *(column.name for column in table.columns if column.type == "datetime")))
        for name in classic:
            _unify_columns(database, name, _SYSTEM)
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, fired_before)
        connection.create_scalar_function(_SAME_INSTANT, None, 1)


def _unify_columns(database: Database, table: str, columns: Iterable[str]) -> None:
    there = set(column_names(database, table)) - computed_names(database, table)
    for column in columns:
        if column in there:
            with contextlib.suppress(DatabaseFileError):  # a damaged table is told by whoever uses it, and stops no start
                _unify_column(database, table, column)


def _unify_column(database: Database, table: str, column: str) -> None:
    if is_unified(database, table, column):
        return  # the write lock is not asked for
    name = quoted(column)
    odd = " AND ".join(f"{name} NOT GLOB '{form}'" for form in _ONE_FORM)
    # OR IGNORE: where the column is a key, two spellings of one instant stay two rows.
    database.rows(
        f"UPDATE OR IGNORE main.{quoted(table)} SET {name} = {_SAME_INSTANT}({name}) "
        f"WHERE typeof({name}) = 'text' AND {odd} AND {name} <> {_SAME_INSTANT}({name})"
    )


def _same_instant(*given: Any) -> Any:
    (value,) = given
    return value if check("datetime", (), value) else instant(value)


def is_unified(database: Database, table: str, column: str) -> bool:
    """Return whether a datetime column holds its one form alone: where no peer of ours has started yet, another program's may be there too.

    Raises `StorageError`.
    """
    name = quoted(column)
    odd = " AND ".join(f"{name} NOT GLOB '{form}'" for form in _ONE_FORM)
    return database.scalar(f"SELECT 1 FROM main.{quoted(table)} WHERE typeof({name}) = 'text' AND {odd} LIMIT 1") is None


def in_sql(name: str) -> str:
    """Return the SQL for a datetime in its one form, whatever ISO form a column `name`, quoted, holds; anything else as it is."""
    moment = f"replace(strftime('%Y-%m-%d %H:%M:%f', {name}), '.000', '')"
    return f"CASE WHEN typeof({name}) = 'text' AND {name} GLOB '{_ISO_DAY}' THEN coalesce({moment}, {name}) ELSE {name} END"


def in_one_form(table: Table, where: str, arguments: Sequence[Value]) -> tuple[str, tuple[Value, ...]]:
    """Return `where` and `arguments` with times like `2026-11-30T10:30:00.000Z` as datetime columns hold them.

    Only where `where` names a datetime column of `table` and none that may hold such a text itself, for nothing says which `?` meets which
    column.
    """
    named = set(re.findall(r"\w+", where))
    times = {*_SYSTEM, *(column.name for column in table.columns if column.type == "datetime")}
    texts = {column.name for column in table.columns if column.type in ("text", "enum", "blob")}
    if not named & times or named & texts:
        return where, tuple(arguments)
    written = _LITERAL.sub(lambda found: f"'{_same_instant(found[1])}'", where)
    return written, tuple(_same_instant(each) if isinstance(each, str) and _ISO_MOMENT.match(each) else each for each in arguments)
