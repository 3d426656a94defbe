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
_SYSTEM: Final = ("_created_at", "_updated_at")


def unify(database: Database, tables: Iterable[Table]) -> None:
    """Convert every datetime of these typed tables into one form; a value that is no time stays as it is. Raises `StorageError`.

    Triggers do not fire: they came with the folder, and this is not their business.
    """
    connection = database.connection
    connection.create_scalar_function(_SAME_INSTANT, _same_instant, 1, deterministic=True)
    fired_before = connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, -1)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    try:
        for table in tables:
            there = set(column_names(database, table.name)) - computed_names(database, table.name)
            for column in (*_SYSTEM, *(column.name for column in table.columns if column.type == "datetime")):
                if column in there:
                    with contextlib.suppress(DatabaseFileError):  # a damaged table is told by whoever uses it, and stops no start
                        _unify_column(database, table.name, column)
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, fired_before)
        connection.create_scalar_function(_SAME_INSTANT, None, 1)


def _unify_column(database: Database, table: str, column: str) -> None:
    name = quoted(column)
    odd = " AND ".join(f"{name} NOT GLOB '{form}'" for form in _ONE_FORM)
    if database.scalar(f"SELECT 1 FROM main.{quoted(table)} WHERE typeof({name}) = 'text' AND {odd} LIMIT 1") is None:
        return  # the write lock is not asked for
    # OR IGNORE: where the column is a key, two spellings of one instant stay two rows.
    database.rows(
        f"UPDATE OR IGNORE main.{quoted(table)} SET {name} = {_SAME_INSTANT}({name}) "
        f"WHERE typeof({name}) = 'text' AND {odd} AND {name} <> {_SAME_INSTANT}({name})"
    )


def _same_instant(*given: Any) -> Any:
    (value,) = given
    return value if check("datetime", (), value) else instant(value)


def in_one_form(table: Table, where: str, arguments: Sequence[Value]) -> tuple[Value, ...]:
    """Return `arguments` with times like `2026-11-30T10:30:00.000Z` as datetime columns hold them.

    Only where `where` names a datetime column of `table` and none that may hold such a text itself, for nothing says which `?` meets which
    column.
    """
    named = set(re.findall(r"\w+", where))
    times = {*_SYSTEM, *(column.name for column in table.columns if column.type == "datetime")}
    texts = {column.name for column in table.columns if column.type in ("text", "enum", "blob")}
    if not named & times or named & texts:
        return tuple(arguments)
    return tuple(_same_instant(each) if isinstance(each, str) and _ISO_MOMENT.match(each) else each for each in arguments)
