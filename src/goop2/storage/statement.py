"""Inspect a statement before it runs: whether it is one, whether it only reads, which columns it gives."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from goop2.storage.errors import StorageError
from goop2.storage.guard import OWNER_READS, Guard, Role, StatementKind
from goop2.storage.limits import INSPECTED_MAX
from goop2.storage.values import Value


def inspect(cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> bool:
    """Compile `sql` without running it; return whether it only reads. Raises `StorageError` unless it is one statement."""
    if "\0" in sql:
        raise StorageError(f"{role.name}: the statement holds a NUL character")
    first, rest = _compile_first(cursor, role, sql, arguments)
    if first is None:
        raise StorageError(f"{role.name}: there is no statement in the text")
    while rest:
        try:
            another, rest = _compile_first(cursor, role, rest, arguments)
        except apsw.Error:  # what follows is a statement, though one that could not be run
            another = False
        if another is not None:
            raise StorageError(f"{role.name} takes one statement, not several")
    return first


def without_end(cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> str:
    """Return the one statement of `sql` without its semicolon and what follows that, its comments closed: it can stand in brackets."""
    _, rest = _compile_first(cursor, role, sql, arguments)
    statement = sql[: len(sql) - len(rest)].rstrip("; \t\n\f\r")
    # SQLite takes a comment that nobody closes to the end of the text; it compiled, so nothing else of it can be open.
    return statement if apsw.complete(f"{statement}\n;") else f"{statement}*/"


def _compile_first(cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> tuple[bool | None, str]:
    """Return whether the first statement of `sql` only reads, None for a comment alone, and the text after it."""
    found: list[tuple[bool | None, str]] = []

    def trace(traced: apsw.Cursor, text: str, _arguments: object) -> bool:
        if traced.is_explain and role.kind is not OWNER_READS:
            raise StorageError(f"{role.name}: EXPLAIN is not for scripts")
        found.append((traced.is_readonly if traced.has_vdbe else None, sql[len(text) :]))
        return False

    cursor.exec_trace = trace
    try:
        # Compiled anew where the guard must be asked: it is not about what stands in the cache.
        cursor.execute(sql, arguments, can_cache=not role.kind.writes, prepare_flags=role.kind.flags)
    except apsw.ExecTraceAbort:
        pass
    finally:
        cursor.exec_trace = None
    return found[0] if found else (None, "")


def names_of(cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value] = ()) -> tuple[str, ...]:
    """Return the columns of a statement that gives no row."""
    found: list[tuple[str, ...]] = []

    def trace(traced: apsw.Cursor, _sql: str, _arguments: object) -> bool:
        found.append(tuple(column[0] for column in traced.get_description()))
        return False

    cursor.exec_trace = trace
    try:
        cursor.execute(sql, arguments, prepare_flags=role.kind.flags)
    except apsw.ExecTraceAbort:
        pass
    finally:
        cursor.exec_trace = None
    return found[0]


class CheckedStatements:
    """The texts that were looked at before they ran. The same come again and again: each is looked at once for each kind of role."""

    def __init__(self, guard: Guard) -> None:
        """`guard`: of the connection on which they run."""
        self._guard = guard
        self._readonly: dict[tuple[StatementKind, str], bool] = {}

    def check(self, cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> None:
        """Refuse what is not exactly one statement, or writes where its role only reads, or the other way round. Raises `StorageError`."""
        key = (role.kind, sql)
        readonly = self._readonly.get(key)
        if readonly is None:
            self._guard.changes = False
            readonly = inspect(cursor, role, sql, arguments)
            if role.kind.writes and not self._guard.changes:
                readonly = True  # DROP TABLE IF EXISTS of what is not there: nothing to deny, and still no INSERT, UPDATE or DELETE
            if len(self._readonly) >= INSPECTED_MAX:
                del self._readonly[next(iter(self._readonly))]
            self._readonly[key] = readonly
        if readonly and role.kind.writes:
            raise StorageError(f"{role.name} takes INSERT, UPDATE, DELETE or REPLACE; goop.db.query reads")
        if not readonly and not role.kind.writes:
            raise StorageError(f"{role.name} only reads" + ("" if role.kind is OWNER_READS else "; goop.db.exec writes"))
