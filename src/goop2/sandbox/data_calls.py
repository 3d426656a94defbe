"""goop.db, goop.schema and goop.kv in the worker: arguments as Lua gave them in, answers in shapes out.

What they do is in goop2.storage; here stand the names, what values look like on each side, the failure
convention of each function (behaviour.md, "The goop table"), and the second a transaction may last.

A transaction, and a single statement that writes, is held to its second by the kernel: an interval timer, armed
when the lock is taken, ends this whole process, whatever its script does, and by that frees the lock. No signal
handler is set, so nothing of ours has to run for it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from goop2.folder.regular_files import shown
from goop2.sandbox.answers import FAILURES, JSON, ROW, ROWS, Answer, json, ok
from goop2.sandbox.messages import Invoke, OperationRule, Scalar
from goop2.storage import key_value
from goop2.storage.connection_settings import limit_heap
from goop2.storage.database import Value, open_database
from goop2.storage.database_files import descriptors
from goop2.storage.errors import BusyError, DatabaseError, DatabaseFileError, QuotaError, StorageError
from goop2.storage.file_quota import FileCare
from goop2.storage.guard import EXEC, QUERY, SCALAR
from goop2.storage.key_value import Store
from goop2.storage.limits import HEAP_MAX_BYTES, LOCK_MAX_SECONDS
from goop2.storage.row_encoding import RowSink
from goop2.storage.typed_tables import Owner, Row, TypedTables
from goop2.storage.write_queue import Rank

VALUES_AT_ONCE: Final = 4000
"""Values of rows pushed into a VM at a time; Lua's stack takes 8000."""

QUEUE: Final = "queue"
"""Name of the write queue's file among the descriptors of `DataCalls`."""

ENDS: Final = (b"db.commit", b"db.rollback")
UNDONE: Final = "the transaction was undone by an error before"
"""What a statement like INSERT OR ROLLBACK does to it."""
KV_DISABLED: Final = "goop.kv is disabled in goop.json (lua.kv_enabled)"

_Method = TypeVar("_Method", bound=Callable[..., Answer])
_NAME: Final = "operation"
"""Attribute of a method that says which operation it does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of this worker: what does it, and what its declaration says of it."""

    work: Callable[..., Answer]
    for_commands: bool
    failure: Callable[[bytes], Answer]


def operation(name: str) -> Callable[[_Method], _Method]:
    """Make a method of `DataCalls` the operation `name` of the goop table."""

    def named(work: _Method) -> _Method:
        setattr(work, _NAME, name)
        return work

    return named


def operations_of(calls: object) -> dict[str, Callable[..., Answer]]:
    """Return name → bound method of every operation that `calls` has."""
    methods = (getattr(calls, name) for name, member in vars(type(calls)).items() if hasattr(member, _NAME))
    return {getattr(method, _NAME): method for method in methods}


class DataCalls:
    """The database of one worker. `begin` before each run, `end` after it."""

    def __init__(self, path: Path, *, kv_enabled: bool, max_bytes: int | None = None, rules: Sequence[OperationRule]) -> None:
        """Open the database at `path`; `max_bytes` bounds its file. `rules` are the declared operations: no other is done."""
        self._unusable = ""
        self.file_fault = ""
        """The last error of this run that was the database file's, not the script's."""
        self.descriptors: dict[str, int]
        """The open files of the database, by suffix, and QUEUE; the worker keeps them."""
        try:
            limit_heap(HEAP_MAX_BYTES)
            self._database = open_database(path, care=FileCare(max_bytes, self._note_fault), rank=Rank.SCRIPT, alarm=_end_in)
            self.descriptors = descriptors(path)
            if self._database.turn.queue is not None:
                self.descriptors[QUEUE] = self._database.turn.queue.descriptor
        except DatabaseError as error:
            self._unusable, self.descriptors = str(error).replace(shown(path), path.name), {}  # a script may tell it to strangers
        else:
            self._scans = self._database.count_scans()
            self._tables = TypedTables(self._database)
        self._kv_enabled = kv_enabled
        self._pending: list[Scalar] = []
        self._width = 0
        self.rows: int | None = None
        """How many rows the last operation read or changed; None where that means nothing."""
        self.transaction = False
        """Whether the script is inside goop.db.transaction."""
        self.busy = b""
        """What this run was told when it did not get the write lock; that is no mistake of its script."""
        # Declared and not written, or written and not declared, is found by a test (scripting/api/rules.py); here it is not available.
        own = operations_of(self)
        self.entries = {
            rule.name.encode(): Entry(own[rule.name], rule.for_commands, FAILURES[rule.failure]) for rule in rules if rule.name in own
        }

    @property
    def scanned(self) -> int:
        """Return how many rows the last operation stepped over in full scans of a table."""
        return 0 if self._unusable else self._scans.take()

    def begin(self, invoke: Invoke) -> None:
        """Begin a run: whose rows and keys it has, and until when."""
        self._function = invoke.kind == "function"
        self._owner = Owner(invoke.caller_id, invoke.caller_email)
        self._store = Store(invoke.kind, invoke.script)
        self._pending = []
        self.file_fault = ""
        self.busy = b""
        if not self._unusable:
            self._database.bound(invoke.deadline)
            self._database.begin_anew()

    def _note_fault(self, fault: DatabaseFileError) -> None:
        if not isinstance(fault, QuotaError):  # which the script's own rows brought about
            self.file_fault = str(fault)

    def end(self) -> None:
        """End the run: undo the transaction it left open."""
        if self.transaction:
            self._rollback()

    def __call__(self, operation: bytes, entry: Entry, arguments: tuple[Scalar, ...]) -> Answer:
        """Do one operation. Every failure is an answer."""
        self.rows = None
        try:
            if self._unusable:
                self.file_fault = self._unusable
                raise StorageError(self._unusable)
            if not (self._function or entry.for_commands):
                raise StorageError(f"goop.{operation.decode()} is only for data functions")
            # INSERT OR ROLLBACK ends the transaction behind our back; what follows must not be written outside of it.
            if self.transaction and not self._database.in_transaction and operation not in ENDS:
                raise StorageError(UNDONE)
            return entry.work(*arguments)
        except BusyError as error:
            self.busy = str(error).encode()
            return entry.failure(self.busy)
        except StorageError as error:
            return entry.failure(str(error).encode())

    # ── goop.db ──────────────────────────────────────────────────────────────────────────────

    @operation("db.query")
    def _query(self, sql: bytes, *arguments: Scalar) -> Answer:
        return self._rows(self._database.query(QUERY, _statement(sql), [_bound(value) for value in arguments]))

    @operation("db.scalar")
    def _scalar(self, sql: bytes, *arguments: Scalar) -> Answer:
        return ok(self._database.first_value(SCALAR, _statement(sql), [_bound(value) for value in arguments]))

    @operation("db.exec")
    def _exec(self, sql: bytes, *arguments: Scalar) -> Answer:
        self.rows = self._database.change(EXEC, _statement(sql), [_bound(value) for value in arguments])
        return ok(self.rows)

    @operation("db.begin")
    def _begin(self) -> Answer:
        if self.transaction:
            raise StorageError("goop.db.transaction inside goop.db.transaction")
        self._database.begin()
        # From here on the lock is held: nothing of ours may come between taking it and setting the alarm.
        _end_in(LOCK_MAX_SECONDS)
        self.transaction = True
        return ok()

    @operation("db.commit")
    def _commit(self) -> Answer:
        try:
            if not self._database.in_transaction:
                raise StorageError(UNDONE)
            self._database.commit()
        finally:
            self._released()
        return ok()

    @operation("db.rollback")
    def _rollback(self) -> Answer:
        try:
            self._database.rollback()
        finally:
            self._released()
        return ok()

    def _released(self) -> None:
        _end_in(0)
        self.transaction = False

    # ── goop.schema ──────────────────────────────────────────────────────────────────────────

    @operation("schema.create")
    def _create(self, name: bytes, columns: bytes, options: bytes | None = None) -> Answer:
        self._tables.create(_text(name, "the table's name"), _decoded(columns), _decoded(options) or None)
        return ok(True)

    @operation("schema.insert")
    def _insert(self, name: bytes, *row: Scalar) -> Answer:
        return ok(self._tables.insert(_text(name, "the table's name"), _row(row), self._owner))

    @operation("schema.get")
    def _get(self, name: bytes, row_id: Scalar) -> Answer:
        return self._one(self._tables.get(_text(name, "the table's name"), _bound(row_id)))

    @operation("schema.list")
    def _list(self, name: bytes, limit: Scalar = None) -> Answer:
        return self._rows(self._tables.list(_text(name, "the table's name"), _bound(limit)))

    @operation("schema.update")
    def _update(self, name: bytes, row_id: Scalar, *changes: Scalar) -> Answer:
        table = _text(name, "the table's name")
        return self._found(self._tables.update(table, _bound(row_id), _row(changes)), table, row_id)

    @operation("schema.delete")
    def _delete(self, name: bytes, row_id: Scalar) -> Answer:
        table = _text(name, "the table's name")
        return self._found(self._tables.delete(table, _bound(row_id)), table, row_id)

    def _found(self, found: bool, table: str, row_id: Scalar) -> Answer:
        if not found:
            raise StorageError(f"{table} has no row {row_id.decode() if isinstance(row_id, bytes) else row_id}")
        self.rows = 1
        return ok(True)

    @operation("schema.validate")
    def _validate(self, name: bytes, *row: Scalar) -> Answer:
        self._tables.validate(_text(name, "the table's name"), _row(row))
        return ok(True)

    @operation("schema.describe")
    def _describe(self, name: bytes) -> Answer:
        return json(self._tables.describe(_text(name, "the table's name")))

    @operation("schema.is_orm")
    def _is_orm(self, name: bytes) -> Answer:
        return ok(self._tables.is_there(_text(name, "the table's name")))

    @operation("schema.find")
    def _find(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._rows(self._tables.find(_text(name, "the table's name"), _decoded(options)))

    @operation("schema.find_one")
    def _find_one(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._one(self._tables.find(_text(name, "the table's name"), _decoded(options), one=True))

    @operation("schema.count")
    def _count(self, name: bytes, options: bytes | None = None) -> Answer:
        return ok(self._tables.count(_text(name, "the table's name"), _decoded(options)))

    @operation("schema.seed")
    def _seed(self, name: bytes, rows: bytes) -> Answer:
        self.rows = self._tables.seed(_text(name, "the table's name"), _decoded(rows), self._owner)
        return ok(self.rows)

    # ── goop.kv ──────────────────────────────────────────────────────────────────────────────

    @operation("kv.get")
    def _kv_get(self, key: bytes) -> Answer:
        self._need_kv()
        value = key_value.get(self._database, self._store, _text(key, "the key"))
        return ok() if value is None else (JSON, value.encode())

    @operation("kv.set")
    def _kv_set(self, key: bytes, value: bytes | None = None) -> Answer:
        if value is None:
            return self._kv_del(key)
        self._need_kv()
        key_value.put(self._database, self._store, _text(key, "the key"), value.decode())
        return ok()

    @operation("kv.del")
    def _kv_del(self, key: bytes) -> Answer:
        self._need_kv()
        key_value.delete(self._database, self._store, _text(key, "the key"))
        return ok()

    def _need_kv(self) -> None:
        if not self._kv_enabled:
            raise StorageError(KV_DISABLED)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def _one(self, rows: RowSink) -> Answer:
        return (ROW, *self._first_rows(rows)) if rows.values else ok()

    def _rows(self, rows: RowSink) -> Answer:
        return ROWS, *self._first_rows(rows)

    def _first_rows(self, rows: RowSink) -> tuple[Scalar, ...]:
        """Return whether there is more, how many columns, their names, the values row by row."""
        width = len(rows.names)
        self.rows = len(rows.values) // width if width else 0
        names = [name.encode() for name in rows.names]
        self._width, self._pending = width, rows.values
        more, *values = self._next_rows()
        return more, width, *names, *values

    @operation("db.more")
    def _more(self) -> Answer:
        return ROWS, *self._next_rows()

    def _next_rows(self) -> tuple[Scalar, ...]:
        """Return whether there is more after them, and the values of the next whole rows of what is pending."""
        # Whole rows only, so that calls.lua can build each piece by itself.
        end = VALUES_AT_ONCE - VALUES_AT_ONCE % self._width if self._width else 0
        values, self._pending = self._pending[:end], self._pending[end:]
        return bool(self._pending), *values


def _end_in(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _text(given: bytes, what: str) -> str:
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise StorageError(f"{what} is not UTF-8") from None


def _statement(sql: bytes) -> str:
    return _text(sql, "the statement")


def _bound(value: Scalar) -> Value:
    """Return a Lua value for SQLite: a string that is UTF-8 is TEXT, any other a BLOB."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def _row(flat: tuple[Scalar, ...]) -> Row:
    """Column, value, column, value …; a boolean stays one, so that a column can refuse it."""
    names = (_text(name, "a column's name") for name in flat[::2] if isinstance(name, bytes))
    return dict(zip(names, map(_bound, flat[1::2]), strict=True))


def _decoded(text: bytes | None) -> object:
    return None if text is None else msgspec.json.decode(text)
