"""SQL functions with bounded cost, for connections in a process that the kernel does not end at a deadline.

SQLite checks the clock between the steps of a statement, and a function is one step. `instr` of two long strings takes a minute,
`json_patch` of two objects two, and nothing can stop them. The functions here take time in the product of two of their arguments. Each is
SQLite's own, called on a separate connection after the product was checked. The length of the pattern limits LIKE and GLOB (limits.py).
Nobody checks the clock between a hundred functions on one row either; the functions here that make large values out of numbers check it
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import apsw

from goop2.storage.errors import StorageError
from goop2.storage.limits import FUNCTION_WORK_MAX, VALUE_MAX_BYTES

PRODUCTS: Final = ("instr", "replace", "trim", "ltrim", "rtrim", "unhex", "json_patch", "jsonb_patch")
"""Their first argument is gone through once for each part of their second."""
MAKERS: Final = ("randomblob", "zeroblob")
"""They make megabytes of a number. Not those that take text: SQLite's own also take what is not UTF-8."""
_RANDOM: Final = "randomblob"


def bound_functions(connection: apsw.Connection, must_stop: Callable[[], bool]) -> None:
    """Replace each of `PRODUCTS` and `MAKERS` by a bounded version; `must_stop` is asked before each call."""
    plain = apsw.Connection(":memory:")
    plain.limit(apsw.SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES)
    for name in (*PRODUCTS, *MAKERS):
        work = _bounded(plain, name, must_stop)
        connection.create_scalar_function(name, work, -1, deterministic=name != _RANDOM, flags=apsw.SQLITE_INNOCUOUS)


def _bounded(plain: apsw.Connection, name: str, must_stop: Callable[[], bool]) -> Callable[..., apsw.SQLiteValue]:
    def work(*arguments: apsw.SQLiteValue) -> apsw.SQLiteValue:
        if must_stop():
            raise apsw.InterruptError("interrupted")
        if name in PRODUCTS and _size(arguments[:1]) * _size(arguments[1:2]) > FUNCTION_WORK_MAX:
            raise StorageError(f"{name} of so long values is not done here: it would take too long")
        (value,) = plain.execute(f"SELECT {name}({', '.join('?' * len(arguments))})", arguments).fetchall()[0]
        return value

    return work


def _size(values: tuple[apsw.SQLiteValue, ...]) -> int:
    """Return the characters or bytes of a value; a number has few, and a missing one makes a product of nothing."""
    return sum(len(value) if isinstance(value, str | bytes) else 1 for value in values)
