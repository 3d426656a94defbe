"""What SQLite would say against a stranger's statement if its table stood alone in the world.

An error of the real database tells what else is there: `no such table: x` where there is none, another sentence where there
is. Asked of an empty database that has this one table, the answer is of help all the same, and knows nothing to give away.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import apsw

from goop2.storage.columns import quoted


def masked_error(sql: str, view: str, columns: Sequence[str]) -> str:
    """SQLite's error for `sql`, which reads the temporary view of these columns; "" when it finds nothing wrong. Nothing is run."""
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
