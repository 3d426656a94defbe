"""A table that several programs write: its columns go by several names, and some may be missing or unknown here.

Rows are read and written by our names of the columns. What a row holds in columns we do not know stays as it is. A table that is missing is
empty, and is created with its first row: a folder that never needed it can go back to the program it came from as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from goop2.storage.columns import quoted
from goop2.storage.database import Database, Value
from goop2.storage.errors import StorageError

Row = Mapping[str, Value]
"""Our name of a column → its value."""
_TEXT_LIKE: Final = ("CHAR", "CLOB", "TEXT", "DATE", "TIME")
"""Parts of the type of a column that takes a text where it must hold something and we know nothing of it."""


class SharedColumn(NamedTuple):
    """A column of a table that other programs of the network write too."""

    declaration: str
    """Its type and default, for a table that lacks it."""
    older: tuple[str, ...] = ()
    """Other names of it. Each that is there is written; it is read where the newer ones are missing or empty."""


class SharedTable:
    """A table by the names of its columns.

    :param key: the columns that name a row, of `columns`.
    """

    def __init__(self, name: str, key: Sequence[str], columns: Mapping[str, SharedColumn]) -> None:
        self.name = name
        self._key = tuple(key)
        self._columns = columns

    def rows(self, database: Database, most: int) -> list[dict[str, Value]]:
        """Return at most `most` rows in the order in which they were written; None for a column the table lacks."""
        present = self._present(database)
        if not all(known in present for known in self._key):
            return []
        names = [(known, name) for known, those in present.items() for name in those]
        columns = ", ".join(quoted(name) for _, name in names)
        rows: list[dict[str, Value]] = []
        for values in database.rows(f"SELECT {columns} FROM {self.name} ORDER BY {self._order(database)} LIMIT ?", (most,)):
            row: dict[str, Value] = dict.fromkeys(self._columns)
            for (known, _), value in zip(names, values, strict=True):
                row[known] = value if row[known] in (None, "") else row[known]
            rows.append(row)
        return rows

    def _order(self, database: Database) -> str:
        without_rowid = database.scalar("SELECT wr FROM pragma_table_list WHERE name = ?", (self.name,))
        return "1" if without_rowid else "rowid"

    def put(self, database: Database, row: Row) -> None:
        """Write a row over the one with its key, or add it. Inside `Database.atomic`."""
        present = self._complete(database)
        values = {name: row[known] for known, names in present.items() if known in row for name in names}
        settings = ", ".join(f"{quoted(name)} = ?" for name in values)
        where, key = self._where(present, row)
        if database.changed(f"UPDATE {self.name} SET {settings} WHERE {where}", (*values.values(), *key)):
            return
        values |= {name: value for name, value in self._demanded(database).items() if name not in values}
        holes = ", ".join("?" * len(values))
        # A table of another program may have a narrower key: the row that was there first stays.
        sql = f"INSERT OR IGNORE INTO {self.name} ({', '.join(map(quoted, values))}) VALUES ({holes})"
        database.changed(sql, tuple(values.values()))

    def remove(self, database: Database, row: Row) -> None:
        """Remove the rows with these values of the key, or of a part of it. Inside `Database.atomic`."""
        present = self._present(database)
        if not all(known in present for known in row):
            return
        where, key = self._where(present, row)
        database.changed(f"DELETE FROM {self.name} WHERE {where}", key)

    def _where(self, present: Mapping[str, Sequence[str]], row: Row) -> tuple[str, tuple[Value, ...]]:
        named = [known for known in self._key if known in row]
        return " AND ".join(f"{quoted(present[known][0])} = ?" for known in named), tuple(row[known] for known in named)

    def _present(self, database: Database) -> dict[str, list[str]]:
        """Return our name of each column → what it is called there, the newest name first."""
        there = {str(name) for (name,) in database.rows("SELECT name FROM pragma_table_info(?)", (self.name,))}
        present = {known: [name for name in (known, *column.older) if name in there] for known, column in self._columns.items()}
        return {known: names for known, names in present.items() if names}

    def _complete(self, database: Database) -> dict[str, list[str]]:
        """Create the table, or add the columns that an older program's lacks; return all of them.

        Raises `StorageError` for a table of another kind.
        """
        database.rows(self._declaration())
        missing = self._columns.keys() - self._present(database).keys()
        if lacking := [known for known in self._key if known in missing]:
            raise StorageError(f"the table {self.name} of data.db has no column {' and '.join(lacking)}: rename it, and start again")
        for known, column in self._columns.items():
            if known in missing and known not in self._key:
                database.rows(f"ALTER TABLE {self.name} ADD COLUMN {quoted(known)} {column.declaration}")
        return self._present(database)

    def _declaration(self) -> str:
        names = [(name, column) for known, column in self._columns.items() for name in (known, *column.older)]
        columns = ", ".join(f"{quoted(name)} {column.declaration}" for name, column in names)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}, PRIMARY KEY ({', '.join(map(quoted, self._key))}))"

    def _demanded(self, database: Database) -> dict[str, Value]:
        """Return a value for each column that must hold one: a new row needs it whatever it means."""
        sql = 'SELECT name, type FROM pragma_table_info(?) WHERE "notnull" AND dflt_value IS NULL AND NOT pk'
        found = database.rows(sql, (self.name,))
        return {str(name): "" if any(part in str(kind).upper() for part in _TEXT_LIKE) else 0 for name, kind in found}
