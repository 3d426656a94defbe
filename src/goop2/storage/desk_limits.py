"""Numbers of what the owner sees and does with tables in the console, with their units and reasons."""

from __future__ import annotations

from typing import Final

PAGE_ROWS_MAX: Final = 200
"""Rows of one page; the console asks for 50."""
CELL_MAX_CHARS: Final = 300
"""Of one value in a list of rows: what a cell can show. Whoever opens it gets all of it."""
RESULT_CELL_MAX_CHARS: Final = 2000
"""Of one value in the answer to the owner's own SQL, which has no cell to open."""
RESULT_ROWS_MAX: Final = 1000
"""Rows of such an answer; `goop2 data DIR query` gives all."""
RESULT_MAX_BYTES: Final = 4 * 1024 * 1024
"""Of such an answer: a browser draws it in a tenth of a second."""
COUNTED_EXACTLY_MAX: Final = 1000
"""Rows up to which the list of tables counts; of larger tables it tells the highest row number, which costs nothing."""
QUICK_SECONDS: Final = 5.0
"""For a page of rows: a sort of a million rows takes a third of a second."""
COUNT_SECONDS: Final = 2.0
"""For the number of rows that meet a filter; the page goes on without it."""
QUERY_SECONDS: Final = 10.0
"""For the owner's own SQL, as for other operations of the owner's (services/tables.py)."""
WRITE_SECONDS: Final = 10.0
"""For a change of a table; dropping a column rewrites every row."""
FACET_ROWS_MAX: Final = 100_000
"""Rows among which values are counted: about 50 ms."""
FACET_VALUES_MAX: Final = 30
FILTERS_MAX: Final = 20
SEARCH_MAX_CHARS: Final = 200
QUERIES_MAX: Final = 200
"""Saved queries of one peer."""
QUERY_NAME_MAX_CHARS: Final = 80
QUERY_MAX_CHARS: Final = 100_000
"""As long as SQLite takes (limits.SQLITE_LIMITS)."""
QUERIES_MAX_BYTES: Final = 1024 * 1024
"""Of their file."""
