"""The error SQLite would give for an untrusted query on a database that holds only its own table.

An error of the real database reveals what else exists: `no such table: x` for a missing table, another sentence for an existing one. An
empty database with this one table gives an error that still helps, and can reveal nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import apsw

from goop2.storage.columns import quoted


def masked_error(sql: str, view: str, columns: Sequence[str]) -> str:
    """Return SQLite's error for `sql`, which reads the temporary view of these columns; "" when it finds none. Nothing is run."""
    with closing(apsw.Connection(":memory:")) as alone:
        alone.execute(f"CREATE TEMP TABLE {quoted(view)} ({', '.join(map(quoted, columns))})")
        cursor = alone.cursor()
        cursor.exec_trace = lambda *_: False
        try:
            cursor.execute(sql)
        except apsw.SQLError as error:
            return str(error)
        except (apsw.Error, ValueError):  # compiled, and then not run; or no text of SQL at all
            return ""
        return ""
