"""Parse the keys of a request from outside, each as its type (network.md, "Data"). Raises `AccessError` for other values.

A column name must be a column of the table; `where` and `order` are SQL, which others limit to the table.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from goop2.storage.columns import quoted
from goop2.storage.database import Value
from goop2.storage.errors import AccessError
from goop2.storage.target_table import TargetTable
from goop2.storage.values import shown, whole_number

Request = Mapping[str, object]
AGGREGATES: Final = ("count", "sum", "avg", "min", "max")
AGGREGATED: Final = "value"
"""Name of what an aggregate gives, in each row of its answer, where `expr` gives it none."""
_AGGREGATE: Final = re.compile(
    r'\s*(?P<function>\w+)\s*\(\s*(?P<of>.*?)\s*\)(?:\s+[aA][sS]\s+"?(?P<alias>[A-Za-z_]\w{0,62})"?)?\s*', re.ASCII | re.DOTALL
)


def data(subject: TargetTable, request: Request) -> dict[str, Value]:
    """Return the key `data`: columns and their new values. A blob of a typed table is in base64, as it is when read."""
    given = request.get("data")
    if not isinstance(given, dict) or any(isinstance(value, dict | list) for value in given.values()):
        raise AccessError("bad_request", "data must be an object of columns and plain values")
    blobs = [name for name in subject.blobs if isinstance(given.get(name), str)]
    return {**given, **{name: _bytes(subject, name, given[name]) for name in blobs}}


def _bytes(subject: TargetTable, name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise AccessError("bad_request", f"{subject.name}.{name} takes bytes in base64, not {shown(text)}") from None


def column(subject: TargetTable, name: object) -> str:
    """Return the name of a column, and nothing else."""
    if not isinstance(name, str) or name not in subject.columns:
        raise AccessError("bad_request", f"{subject.name} has no column {shown(name)}")
    return name


def one_column(subject: TargetTable, request: Request) -> str:
    """Return the key `column`, or the only one of `fields`."""
    fields = request.get("fields")
    only = fields[0] if isinstance(fields, list) and len(fields) == 1 else None
    return column(subject, only if request.get("column") is None else request["column"])


class Aggregate(NamedTuple):
    """One aggregate of `expr`, such as `SUM(score) AS total`: its function, its SQL and its name."""

    function: str
    sql: str
    alias: str
    """Its name in each row of the answer."""


def aggregates(subject: TargetTable, request: Request) -> list[Aggregate]:
    """Return the aggregates of `expr`, separated by commas; one without a name of its own is called AGGREGATED.

    The column of `group_by` may stand among them, as pages of Goop2 write it: it is in the answer in any case.
    """
    expression = request.get("expr")
    wrong = AccessError("bad_request", f"expr is {shown(expression)}; allowed is {', '.join(AGGREGATES)} of a column")
    found = []
    for part in re.split(r"(?<=[)\w])\s*,", str(expression or "")):
        if part.strip() and part.strip() == request.get("group_by"):
            continue
        match = _AGGREGATE.fullmatch(part)
        if match is None or match["function"].lower() not in AGGREGATES:
            raise wrong
        function, of = match["function"].lower(), match["of"]
        wanted = "*" if of == "*" and function == "count" else quoted(column(subject, of))
        found.append(Aggregate(function, f"{function}({wanted})", match["alias"] or AGGREGATED))
    if not found:
        raise wrong
    if len({each.alias.lower() for each in found}) < len(found):
        raise AccessError("bad_request", f"expr is {shown(expression)}; give each of several a name of its own, as in count(*) AS n")
    return found


def columns(subject: TargetTable, request: Request) -> str:
    """`columns`, which newer peers call `fields`, as SQL; all of them when there are none."""
    names = next((request[key] for key in ("columns", "fields") if request.get(key) not in (None, [])), list(subject.columns))
    if not isinstance(names, list):
        raise AccessError("bad_request", "columns must be a list of names")
    return ", ".join(quoted(column(subject, name)) for name in names)


def needed_where(request: Request) -> str:
    """Return `where` in brackets. Raises if it is missing."""
    text = sql(request, "where")
    if not text:
        raise AccessError("bad_request", "where is missing: say which rows, or 1 for all")
    return f"(\n{text}\n)"


def sql(request: Request, key: str) -> str:
    """Return a text of SQL, "" if there is none."""
    text = request.get(key)
    if text is not None and not isinstance(text, str):
        raise AccessError("bad_request", f"{key} must be a text")
    return (text or "").strip()


def arguments(request: Request) -> Sequence[Value]:
    """Return the key `args`: the values for each `?`."""
    given = request.get("args")
    if given is None:
        return ()
    if not isinstance(given, list) or any(isinstance(value, dict | list) for value in given):
        raise AccessError("bad_request", "args must be a list of plain values")
    return given


def whole(request: Request, key: str, default: int | None) -> int:
    """Return a whole number from 0, given as a number or as numeric text; `default` if there is none, and if that is None an error."""
    number = whole_number(default if request.get(key) is None else request[key])
    if number is None:
        raise AccessError("bad_request", f"{key} must be a whole number from 0")
    return number
