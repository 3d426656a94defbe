"""One connection: what it refuses to give."""

from __future__ import annotations

import pytest

from goop2.storage.database import Database
from goop2.storage.errors import StorageError
from goop2.storage.guard import QUERY
from goop2.storage.limits import ROWS_MAX, ROWS_MAX_BYTES

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {}) SELECT i FROM n"
LARGE = f"SELECT zeroblob({ROWS_MAX_BYTES // 2}) AS a UNION ALL SELECT zeroblob({ROWS_MAX_BYTES // 2 + 1})"


def test_rows_beyond_the_most_are_an_error_not_a_cut(database: Database) -> None:
    assert len(database.query(QUERY, NUMBERS.format(ROWS_MAX))) == ROWS_MAX
    with pytest.raises(StorageError, match=f"more than {ROWS_MAX} rows"):
        database.query(QUERY, NUMBERS.format(ROWS_MAX + 1))


def test_bytes_beyond_the_most_are_an_error(database: Database) -> None:
    with pytest.raises(StorageError, match="bytes of rows"):
        database.query(QUERY, LARGE)
    with pytest.raises(StorageError, match="bytes; ask for fewer"):
        database.records(QUERY, LARGE)
