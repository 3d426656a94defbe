"""goop.db, goop.schema and goop.kv in the worker: arguments as Lua gave them in, answers in shapes out.

goop2.storage does the work. Here are the names, the values on each side, the failure convention of each function (behaviour.md, "The goop
table"), and the second that a transaction may last.

The kernel limits a transaction, and a single statement that writes, to its second. An interval timer, set when the lock is taken, ends this
whole process, whatever its script does, and so frees the lock. There is no signal handler, so no code of ours has to run for it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from goop2.folder.regular_files import shown
from goop2.sandbox.answers import FAILURES, JSON, Answer, json, ok
from goop2.sandbox.messages import GROUP_CLOSE, HANDLE, SCHEDULE, TEST, Invoke, OperationRule, Scalar
from goop2.sandbox.orm_calls import OrmCalls
from goop2.sandbox.scan_sampling import ScanSampling
from goop2.sandbox.transform_calls import TransformCalls
from goop2.sandbox.worker_operations import bound, decoded, operation, operations_of, row_of, table_name, text_of
from goop2.storage import key_value
from goop2.storage.connection_settings import limit_heap
from goop2.storage.database import open_database
from goop2.storage.database_files import descriptors
from goop2.storage.errors import BusyError, DatabaseError, DatabaseFileError, QuotaError, StorageError
from goop2.storage.file_quota import FileCare
from goop2.storage.guard import EXEC, QUERY, SCALAR
from goop2.storage.key_value import Store
from goop2.storage.limits import HEAP_MAX_BYTES, LOCK_MAX_SECONDS
from goop2.storage.orm_tables import OrmTables
from goop2.storage.typed_tables import Owner
from goop2.storage.write_queue import Rank

QUEUE: Final = "queue"
"""Name of the write queue's file among the descriptors of `DataCalls`."""

ENDS: Final = (b"db.commit", b"db.rollback")
UNDONE: Final = "the transaction was undone by an error before"
"""What a statement like INSERT OR ROLLBACK does to it."""
KV_DISABLED: Final = "goop.kv is disabled in goop.json (lua.kv_enabled)"


class Entry(msgspec.Struct, frozen=True):
    """One operation of this worker: what does it, and what its declaration says of it."""

    work: Callable[..., Answer]
    for_commands: bool
    failure: Callable[[bytes], Answer]


class DataCalls(OrmCalls, TransformCalls):
    """The database of one worker. `begin` before each run, `end` after it."""

    def __init__(
        self, path: Path, *, kv_enabled: bool, max_bytes: int | None = None, synced: bool = False, rules: Sequence[OperationRule]
    ) -> None:
        """Open the database at `path`; `max_bytes` bounds its file. `rules` are the declared operations: no other is done.

        `synced`: a commit is on the disk before it is over.
        """
        super().__init__()
        self._unusable = ""
        self.file_fault = ""
        """The last error of this run that was the database file's, not the script's."""
        self.descriptors: dict[str, int]
        """The open files of the database, by suffix, and QUEUE; the worker keeps them."""
        try:
            limit_heap(HEAP_MAX_BYTES)
            self._database = open_database(path, care=FileCare(max_bytes, self._note_fault, synced=synced), rank=Rank.SCRIPT, alarm=_end_in)
            self.descriptors = descriptors(path)
            if self._database.turn.queue is not None:
                self.descriptors[QUEUE] = self._database.turn.queue.descriptor
        except DatabaseError as error:
            self._unusable, self.descriptors = str(error).replace(shown(path), path.name), {}  # a script may tell it to strangers
        else:
            self._scans = self._database.count_scans()
            self._sampling = ScanSampling()
            self._is_sampled = False
            """Whether this run was asked about; most runs have no statement."""
            self._tables = OrmTables(self._database)
        self._kv_enabled = kv_enabled
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
    def scanned(self) -> int | None:
        """Return how many rows the last operation stepped over in full scans of a table; None in a run where they are not counted."""
        return None if self._unusable else self._scans.take()

    def begin(self, invoke: Invoke, now: float) -> None:
        """Begin a run at `now` (`time.monotonic()`): set whose rows and keys it has, and its deadline."""
        self._function = invoke.kind in ("function", GROUP_CLOSE, SCHEDULE, TEST)
        self._owner = Owner(invoke.caller_id, invoke.caller_email)
        self._store = Store("function" if invoke.kind in (HANDLE, GROUP_CLOSE, SCHEDULE, TEST) else invoke.kind, invoke.script)
        self._pending = []
        self.file_fault = ""
        self.busy = b""
        if not self._unusable:
            self._database.bound(now + invoke.seconds_left)
            self._database.begin_anew()
            self._is_sampled = False

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
            if not self._is_sampled:
                self._is_sampled = True
                self._scans.watch(self._sampling.takes(self._store.kind, self._store.script))
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
        return self._rows(self._database.query(QUERY, text_of(sql, "the statement"), [bound(value) for value in arguments]))

    @operation("db.scalar")
    def _scalar(self, sql: bytes, *arguments: Scalar) -> Answer:
        return ok(self._database.first_value(SCALAR, text_of(sql, "the statement"), [bound(value) for value in arguments]))

    @operation("db.exec")
    def _exec(self, sql: bytes, *arguments: Scalar) -> Answer:
        self.rows = self._database.change(EXEC, text_of(sql, "the statement"), [bound(value) for value in arguments])
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
        self._tables.create(table_name(name), decoded(columns), decoded(options) or None)
        return ok(True)

    @operation("schema.insert")
    def _insert(self, name: bytes, *row: Scalar) -> Answer:
        return ok(self._tables.insert(table_name(name), row_of(row), self._owner))

    @operation("schema.get")
    def _get(self, name: bytes, row_id: Scalar) -> Answer:
        return self._one(self._tables.get(table_name(name), bound(row_id)))

    @operation("schema.list")
    def _list(self, name: bytes, limit: Scalar = None) -> Answer:
        return self._rows(self._tables.list(table_name(name), bound(limit)))

    @operation("schema.update")
    def _update(self, name: bytes, row_id: Scalar, *changes: Scalar) -> Answer:
        table = table_name(name)
        return self._found(self._tables.update(table, bound(row_id), row_of(changes)), table, row_id)

    @operation("schema.delete")
    def _delete(self, name: bytes, row_id: Scalar) -> Answer:
        table = table_name(name)
        return self._found(self._tables.delete(table, bound(row_id)), table, row_id)

    def _found(self, found: bool, table: str, row_id: Scalar) -> Answer:
        if not found:
            raise StorageError(f"{table} has no row {row_id.decode() if isinstance(row_id, bytes) else row_id}")
        self.rows = 1
        return ok(True)

    @operation("schema.validate")
    def _validate(self, name: bytes, *row: Scalar) -> Answer:
        self._tables.validate(table_name(name), row_of(row))
        return ok(True)

    @operation("schema.describe")
    def _describe(self, name: bytes) -> Answer:
        return json(self._tables.describe(table_name(name)))

    @operation("schema.is_orm")
    def _is_orm(self, name: bytes) -> Answer:
        return ok(self._tables.is_there(table_name(name)))

    @operation("schema.find")
    def _find(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._rows(self._tables.find(table_name(name), decoded(options)))

    @operation("schema.find_one")
    def _find_one(self, name: bytes, options: bytes | None = None) -> Answer:
        return self._one(self._tables.find(table_name(name), decoded(options), one=True))

    @operation("schema.count")
    def _count(self, name: bytes, options: bytes | None = None) -> Answer:
        return ok(self._tables.count(table_name(name), decoded(options)))

    @operation("schema.seed")
    def _seed(self, name: bytes, rows: bytes) -> Answer:
        self.rows = self._tables.seed(table_name(name), decoded(rows), self._owner)
        return ok(self.rows)

    # ── goop.kv ──────────────────────────────────────────────────────────────────────────────

    @operation("kv.get")
    def _kv_get(self, key: bytes) -> Answer:
        self._need_kv()
        value = key_value.get(self._database, self._store, text_of(key, "the key"))
        return ok() if value is None else (JSON, value.encode())

    @operation("kv.set")
    def _kv_set(self, key: bytes, value: bytes | None = None) -> Answer:
        if value is None:
            return self._kv_del(key)
        self._need_kv()
        key_value.put(self._database, self._store, text_of(key, "the key"), value.decode())
        return ok()

    @operation("kv.del")
    def _kv_del(self, key: bytes) -> Answer:
        self._need_kv()
        key_value.delete(self._database, self._store, text_of(key, "the key"))
        return ok()

    def _need_kv(self) -> None:
        if not self._kv_enabled:
            raise StorageError(KV_DISABLED)


def _end_in(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
