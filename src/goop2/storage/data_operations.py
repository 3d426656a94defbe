"""The operations of the data protocol, each declared once: its name, its HTTP path, its keys, who may use it, and what it does.

    other peers   the name as `op` (network.md, "Data")
    pages         the path after `/api/data/`, with the method (behaviour.md, "HTTP")
    the console   the name as `op`

A new operation is a row here and a method of `TableAccess` that is called like it (table_access.py), or a change of tables
(table_changes.py). It must not know who carries a request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOperation:
    """What callers from outside can ask of a site's tables or scripts."""

    name: str
    """As `op` has it."""
    path: str
    """After `/api/data/`."""
    keys: tuple[str, ...]
    """Names of the keys a request may have besides `op`; others are ignored. Their types are those of `DataRequest` (protocols/data.py)."""
    does: str
    """What it does and answers, in one sentence."""
    method: str = "POST"
    """Of HTTP; "" for GET and POST alike."""
    owner_only: bool = False
    """Refused to everybody but the owner of the site."""
    of_scripts: bool = False
    """Asked of the scripts (scripting/engine.py), not of the tables."""


_FIRST: Final = ("where", "args", "order", "offset")
"""Which rows, and which of them comes first."""
_ROWS: Final = (*_FIRST, "limit")
_COLUMNS: Final = ("columns", "fields")
"""Two names of the same: newer peers of the network say `fields`."""
_COLUMN: Final = ("column", "fields")
LUA_CALL: Final = DataOperation(
    name="lua-call", path="lua/call", keys=("function", "params"), does="Call a data function; its result.", of_scripts=True
)
LUA_LIST: Final = DataOperation(
    name="lua-list", path="lua/list", method="GET", keys=(), does="List the data functions that answer.", of_scripts=True
)
DATA_OPERATIONS: Final = (
    LUA_CALL,
    LUA_LIST,
    DataOperation(name="tables", path="tables", method="GET", keys=(), does="List the tables the caller may know of."),
    DataOperation(name="describe", path="tables/describe", keys=("table",), does="Return the columns of a table."),
    DataOperation(
        name="orm-schema",
        path="orm-schema",
        method="",
        keys=("table",),
        does="Return the declaration of a typed table; without `table` those of all.",
    ),
    DataOperation(name="role", path="role", keys=("table",), does="Return what the caller is to the site, and which rows it may touch."),
    DataOperation(name="query", path="query", keys=("table", *_COLUMNS, *_ROWS), does="Return rows."),
    DataOperation(name="query-one", path="query-one", keys=("table", *_COLUMNS, *_FIRST), does="Return the first row, or null."),
    DataOperation(name="count", path="count", keys=("table", "where", "args"), does="Return how many rows there are."),
    DataOperation(name="exists", path="exists", keys=("table", *_FIRST), does="Return whether there is a row."),
    DataOperation(name="pluck", path="pluck", keys=("table", *_COLUMN, *_ROWS), does="Return the values of one column."),
    DataOperation(name="distinct", path="distinct", keys=("table", *_COLUMN, *_ROWS), does="Return the different values of one column."),
    DataOperation(
        name="aggregate",
        path="aggregate",
        keys=("table", "expr", "group_by", *_ROWS),
        does="Return count, sum, avg, min or max of a column, for each value of `group_by`.",
    ),
    DataOperation(name="insert", path="insert", keys=("table", "data"), does="Add a row that belongs to the caller."),
    DataOperation(name="update", path="update", keys=("table", "id", "data"), does="Change columns of the row with an id."),
    DataOperation(name="delete", path="delete", keys=("table", "id"), does="Delete the row with an id."),
    DataOperation(
        name="update-where",
        path="update-where",
        keys=("table", "where", "args", "data"),
        does="Change columns of all rows that meet a condition.",
        owner_only=True,
    ),
    DataOperation(
        name="delete-where",
        path="delete-where",
        keys=("table", "where", "args"),
        does="Delete all rows that meet a condition.",
        owner_only=True,
    ),
    DataOperation(
        name="upsert",
        path="upsert",
        keys=("table", "key_col", "data"),
        does="Change the row whose `key_col` is that of `data`, or add it.",
        owner_only=True,
    ),
    DataOperation(
        name="create-table",
        path="tables/create",
        keys=("name", "table", "columns", "column_defs"),
        does="Create a table: a typed one where a column has key, required, auto or values, else a classic one.",
        owner_only=True,
    ),
    DataOperation(
        name="add-column", path="tables/add-column", keys=("table", "name", "column"), does="Add a column to a table.", owner_only=True
    ),
    DataOperation(
        name="drop-column", path="tables/drop-column", keys=("table", "name", "column"), does="Remove a column of a table.", owner_only=True
    ),
    DataOperation(
        name="rename-table", path="tables/rename", keys=("old_name", "table", "new_name"), does="Rename a table.", owner_only=True
    ),
    DataOperation(name="set-policy", path="tables/set-policy", keys=("table", "policy"), does="Set who may add rows.", owner_only=True),
    DataOperation(name="delete-table", path="tables/delete", keys=("table", "name"), does="Delete a table with its rows.", owner_only=True),
)


def _of_value(request: Mapping[str, object]) -> dict[str, object]:
    name = str(request.get("column", "")).replace('"', '""')
    return {"table": request.get("table"), "where": f'"{name}" = ?', "args": [request.get("value")]}


BY_NAME: Final[Mapping[str, DataOperation]] = {operation.name: operation for operation in DATA_OPERATIONS}
"""Name → operation."""
FURTHER_PATHS: Final[Mapping[str, tuple[DataOperation, Callable[[Mapping[str, object]], Mapping[str, object]]]]] = {
    "find": (BY_NAME["query"], lambda request: request),
    "find-one": (BY_NAME["query-one"], lambda request: request),
    "get-by": (BY_NAME["query-one"], _of_value),
}
"""Further paths of pages → the operation asked of the tables, and how its request follows from the page's."""
TABLE_OPERATIONS: Final = frozenset(operation.name for operation in DATA_OPERATIONS if not operation.of_scripts)
"""Names of those that are asked of the tables."""
