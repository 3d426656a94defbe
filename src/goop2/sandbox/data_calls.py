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
from typing import Final

import msgspec

from goop2.folder.regular_files import shown
from goop2.sandbox.messages import Invoke, Scalar
from goop2.storage import key_value
from goop2.storage.database import Value, descriptors, limit_heap, open_database
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

PLAIN, PAIR, JSON, ROWS, ROW, RAISE = b"v", b"vv", b"j", b"R", b"r", b"!"
"""Shapes, as calls.lua explains them."""

Answer = tuple[Scalar, ...]
Operation = Callable[..., Answer]


def _nil_and(message: bytes) -> Answer:
    return PAIR, None, message


def _message_alone(message: bytes) -> Answer:
    return PLAIN, message


def _false_and(message: bytes) -> Answer:
    return PAIR, False, message


def _raised(message: bytes) -> Answer:
    return RAISE, message


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation: what does it, and how it says that it failed."""

    work: Operation
    failure: Callable[[bytes], Answer]


class DataCalls:
    """The database of one worker. `begin` before each run, `end` after it."""

    def __init__(self, path: Path, *, kv_enabled: bool, max_bytes: int | None = None, command_operations: Sequence[str] = ()) -> None:
        """`command_operations`: those that chat commands may use; the others are for data functions alone."""
        self._unusable = ""
        self.file_fault = ""
        """The last error of this run that was the database file's, not the script's."""
        self.descriptors: dict[str, int]
        """The open files of the database, by suffix, and QUEUE; the worker keeps them."""
        try:
            limit_heap(HEAP_MAX_BYTES)
            self._database = open_database(path, care=FileCare(max_bytes, self._note_fault), rank=Rank.SCRIPT)
            self.descriptors = descriptors(path)
            if self._database.queue is not None:
                self.descriptors[QUEUE] = self._database.queue.descriptor
        except DatabaseError as error:
            self._unusable, self.descriptors = str(error).replace(shown(path), path.name), {}  # a script may tell it to strangers
        else:
            self._database.alarm = _end_in
            self._database.watch_scans()
            self._tables = TypedTables(self._database)
        self._kv_enabled = kv_enabled
        self._for_commands = frozenset(name.encode() for name in command_operations)
        self._pending: list[Scalar] = []
        self._width = 0
        self.rows: int | None = None
        """How many rows the last operation read or changed; None where that means nothing."""
        self.transaction = False
        """Whether the script is inside goop.db.transaction."""
        self.busy = b""
        """What this run was told when it did not get the write lock; that is no mistake of its script."""
        self.entries: dict[bytes, Entry] = {
            b"db.query": Entry(self._query, _nil_and),
            b"db.scalar": Entry(self._scalar, _nil_and),
            b"db.exec": Entry(self._exec, _nil_and),
            b"db.begin": Entry(self._begin, _raised),
            b"db.commit": Entry(self._commit, _raised),
            b"db.rollback": Entry(self._rollback, _raised),
            b"db.more": Entry(self._more, _raised),
            b"schema.create": Entry(self._create, _nil_and),
            b"schema.insert": Entry(self._insert, _nil_and),
            b"schema.get": Entry(self._get, _nil_and),
            b"schema.list": Entry(self._list, _nil_and),
            b"schema.update": Entry(self._update, _nil_and),
            b"schema.delete": Entry(self._delete, _nil_and),
            b"schema.validate": Entry(self._validate, _false_and),
            b"schema.describe": Entry(self._describe, _nil_and),
            b"schema.is_orm": Entry(self._is_orm, _nil_and),
            b"schema.find": Entry(self._find, _nil_and),
            b"schema.find_one": Entry(self._find_one, _nil_and),
            b"schema.count": Entry(self._count, _nil_and),
            b"schema.seed": Entry(self._seed, _nil_and),
            b"kv.get": Entry(self._kv_get, _nil_and),
            b"kv.set": Entry(self._kv_set, _message_alone),
            b"kv.del": Entry(self._kv_del, _message_alone),
        }

    @property
    def scanned(self) -> int:
        """Return how many rows the last operation stepped over in full scans of a table."""
        return 0 if self._unusable else self._database.take_scanned()

    def begin(self, invoke: Invoke) -> None:
        """A run begins: whose rows and keys, and until when."""
        self._function = invoke.kind == "function"
        self._owner = Owner(invoke.caller_id, invoke.caller_email)
        self._store = Store(invoke.kind, invoke.script)
        self._pending = []
        self.file_fault = ""
        self.busy = b""
        if not self._unusable:
            self._database.deadline = invoke.deadline
            self._database.lock_seconds = 0.0
            self._database.begin_anew()

    def _note_fault(self, fault: DatabaseFileError) -> None:
        if not isinstance(fault, QuotaError):  # which the script's own rows brought about
            self.file_fault = str(fault)

    def end(self) -> None:
        """The run is over: what it left open is undone."""
        if self.transaction:
            self._rollback()

    def __call__(self, operation: bytes, entry: Entry, arguments: tuple[Scalar, ...]) -> Answer:
        """Do one operation. Every failure is an answer."""
        self.rows = None
        try:
            if self._unusable:
                self.file_fault = self._unusable
                raise StorageError(self._unusable)
            if not self._function and operation not in self._for_commands:
                raise StorageError(f"goop.{operation.decode()} is only for data functions")
            if self.transaction and not self._database.in_transaction and operation not in ENDS:
                raise StorageError(UNDONE)
            return entry.work(*arguments)
        except BusyError as error:
            self.busy = str(error).encode()
            return entry.failure(self.busy)
        except StorageError as error:
            return entry.failure(str(error).encode())

    # ── goop.db ──────────────────────────────────────────────────────────────────────────────

    def _query(self, sql: bytes, *arguments: Scalar) -> Answer:
        return self._rows(self._database.query(QUERY, _statement(sql), [_bound(value) for value in arguments]))

    def _scalar(self, sql: bytes, *arguments: Scalar) -> Answer:
        return PLAIN, self._database.first_value(SCALAR, _statement(sql), [_bound(value) for value in arguments])

    def _exec(self, sql: bytes, *arguments: Scalar) -> Answer:
        self.rows = self._database.change(EXEC, _statement(sql), [_bound(value) for value in arguments])
        return PLAIN, self.rows

    def _begin(self) -> Answer:
        if self.transaction:
            raise StorageError("goop.db.transaction inside goop.db.transaction")
        self._database.begin()
        _end_in(LOCK_MAX_SECONDS)
        self.transaction = True
        return PLAIN, None

    def _commit(self) -> Answer:
        try:
            if not self._database.in_transaction:
                raise StorageError(UNDONE)
            self._database.commit()
        finally:
            self._released()
        return PLAIN, None

    def _rollback(self) -> Answer:
        try:
            self._database.rollback()
        finally:
            self._released()
        return PLAIN, None

    def _released(self) -> None:
        _end_in(0)
        self.transaction = False

    # ── goop.schema ──────────────────────────────────────────────────────────────────────────

    def _create(self, name: bytes, columns: bytes, options: bytes | None = None) -> Answer:
        self._tables.create(_text(name, "the table's name"), _decoded(columns), _decoded(options) or None)
        return PLAIN, True

    def _insert(self, name: bytes, *row: Scalar) -> Answer:
        return PLAIN, self._tables.insert(_text(name, "the table's name"), _row(row), self._owner)

    def _get(self, name: bytes, row_id: Scalar) -> Answer:
        return self._one(self._tables.get(_text(name, "the table's name"), _bound(row_id)))

    def _list(self, name: bytes, limit: Scalar = None) -> Answer:
        return self._rows(self._tables.list(_text(name, "the table's name"), _bound(limit)))

    def _update(self, name: bytes, row_id: Scalar, *changes: Scalar) -> Answer:
        table = _text(name, "the table's name")
        return self._found(self._tables.update(table, _bound(row_id), _row(changes)), table, row_id)

    def _delete(self, name: bytes, row_id: Scalar) -> Answer:
        table = _text(name, "the table's name")
        return self._found(self._tables.delete(table, _bound(row_id)), table, row_id)

    def _found(self, found: bool, table: str, row_id: Scalar) -> Answer:
        if not found:
            raise StorageError(f"{table} has no row {row_id.decode() if isinstance(row_id, bytes) else row_id}")
        self.rows = 1
        return PLAIN, True

    def _validate(self, name: bytes, *row: Scalar) -> Answer:
        self._tables.validate(_text(name, "the table's name"), _row(row))
        return PLAIN, True

    def _describe(self, name: bytes) -> Answer:
        return JSON, msgspec.json.encode(self._tables.describe(_text(name, "the table's name")))

    def _is_orm(self, name: bytes) -> Answer:
        return PLAIN, self._tables.is_there(_text(name, "the table's name"))

    def _find(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._rows(self._tables.find(_text(name, "the table's name"), _decoded(options)))

    def _find_one(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._one(self._tables.find(_text(name, "the table's name"), _decoded(options), one=True))

    def _count(self, name: bytes, options: bytes | None = None) -> Answer:
        return PLAIN, self._tables.count(_text(name, "the table's name"), _decoded(options))

    def _seed(self, name: bytes, rows: bytes) -> Answer:
        self.rows = self._tables.seed(_text(name, "the table's name"), _decoded(rows), self._owner)
        return PLAIN, self.rows

    # ── goop.kv ──────────────────────────────────────────────────────────────────────────────

    def _kv_get(self, key: bytes) -> Answer:
        self._need_kv()
        value = key_value.get(self._database, self._store, _text(key, "the key"))
        return (PLAIN, None) if value is None else (JSON, value.encode())

    def _kv_set(self, key: bytes, value: bytes | None = None) -> Answer:
        if value is None:
            return self._kv_del(key)
        self._need_kv()
        key_value.put(self._database, self._store, _text(key, "the key"), value.decode())
        return PLAIN, None

    def _kv_del(self, key: bytes) -> Answer:
        self._need_kv()
        key_value.delete(self._database, self._store, _text(key, "the key"))
        return PLAIN, None

    def _need_kv(self) -> None:
        if not self._kv_enabled:
            raise StorageError(KV_DISABLED)

    # ── rows ─────────────────────────────────────────────────────────────────────────────────

    def _one(self, rows: RowSink) -> Answer:
        return (ROW, *self._rows(rows)[1:]) if rows.values else (PLAIN, None)

    def _rows(self, rows: RowSink) -> Answer:
        """Shape, whether there is more, columns, their names, the values row by row."""
        width = len(rows.names)
        self.rows = len(rows.values) // width if width else 0
        names = [name.encode() for name in rows.names]
        self._width, self._pending = width, rows.values
        more, *values = self._more()[1:]
        return ROWS, more, width, *names, *values

    def _more(self) -> Answer:
        """The next whole rows of what is pending."""
        end = VALUES_AT_ONCE - VALUES_AT_ONCE % self._width if self._width else 0
        values, self._pending = self._pending[:end], self._pending[end:]
        return ROWS, bool(self._pending), *values


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
