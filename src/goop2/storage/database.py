"""One open data.db: how it is opened, and the only way to run statements on it.

A worker opens it before it confines itself and needs no descriptor afterwards. The peer keeps a connection of its own, so that the
write-ahead log and its index exist as long as a worker lives. It knows roles, limits and transactions; it must not know what a table means.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import apsw

from goop2.folder.regular_files import shown
from goop2.storage import invalid_text
from goop2.storage.bounded_functions import bound_functions
from goop2.storage.connection_settings import OPEN_FLAGS, configure
from goop2.storage.database_files import checked, sqlite_name
from goop2.storage.errors import DatabaseError, DatabaseFileError, FencedError, QuotaError, RefusedError, StorageError
from goop2.storage.file_quota import CARELESS, FileCare
from goop2.storage.guard import INTERNAL, ONE_TABLE_WRITES, SCRIPT_WRITES, VISITOR, Guard, Role
from goop2.storage.limits import (
    BUSY_SECONDS,
    CHECKPOINT_SECONDS,
    FINE_LIKE_PATTERN_MAX_BYTES,
    FINE_PROGRESS_STEPS,
    LOCK_GIVEN_UP_SECONDS,
    LOCK_GRACE_SECONDS,
    LOCK_MAX_SECONDS,
    PROGRESS_STEPS,
    ROWS_MAX,
    ROWS_MAX_BYTES,
    SQLITE_LIMITS,
    STATEMENT_MEMORY_MAX_BYTES,
    VISITOR_SECONDS,
)
from goop2.storage.row_encoding import CrossingValue, RowSink, as_records, collect, cross
from goop2.storage.scan_counter import ScanCounter
from goop2.storage.sqlite_errors import FILE_TOO_LARGE, QUOTA_REACHED, TOO_MUCH_MEMORY, explained, fault
from goop2.storage.statement import CheckedStatements, names_of, without_end
from goop2.storage.write_fence import FENCED, WriteFence, open_fence
from goop2.storage.write_queue import Rank, WriteQueue, open_queue
from goop2.storage.write_turn import WriteTurn

FILE: Final = "data.db"
FOREVER: Final = float("inf")

UNLIMITED: Final = 2**31 - 1
"""For SQLite its own bound, which cannot be raised."""
_STRUCTURE_UNREAD: Final = "malformed database schema"
"""What SQLite says of damage, and of a table made under wider limits than those of the connection that reads it."""

FAULTS: Final = (apsw.Error, MemoryError, UnicodeError, OverflowError)
"""What a statement may raise."""

Value = None | int | float | str | bytes
"""What SQLite holds and a statement can be given."""

STATEMENT_SECONDS: Final = dict.fromkeys((SCRIPT_WRITES, ONE_TABLE_WRITES), LOCK_MAX_SECONDS)
"""Kind of role → how long a statement of it may run; the others may until the deadline."""

Alarm = Callable[[float], None]
"""Told in how many seconds the kernel should end this process; 0 is never."""


def _no_alarm(_seconds: float) -> None:
    """Set no alarm: this process must not end."""


class Database:
    """A connection and its guard. `deadline` (`time.monotonic()`, set by `bound`) limits every statement and the wait for the lock."""

    def __init__(
        self,
        connection: apsw.Connection,
        *,
        watchful: bool = False,
        care: FileCare = CARELESS,
        queue: WriteQueue | None = None,
        fence: WriteFence | None = None,
        rank: Rank = Rank.PEER,
        alarm: Alarm = _no_alarm,
        on_invalid_text: Callable[[str], None] | None = None,
    ) -> None:
        """Take over an open connection; parameters as for `open_database`. `fence`: says at each commit whether it may write."""
        self._connection = connection
        self.turn = WriteTurn(rank, queue, self._has_waited_enough)
        """Its turns to write."""
        self._guard = Guard()
        self._checked = CheckedStatements(self._guard)
        self._statement_ends = FOREVER
        self._memory_max = STATEMENT_MEMORY_MAX_BYTES if watchful else FOREVER
        self._memory_ends = FOREVER
        self._memory_exceeded = False
        self.care = care
        self._deadline = FOREVER
        self._visitor_seconds = VISITOR_SECONDS
        self._alarm = alarm
        self._alarmed = False
        self._changed_before = 0
        self._on_invalid_text = on_invalid_text
        connection.authorizer = self._guard
        # A script could otherwise read in changes() how many rows the last caller changed.
        connection.create_scalar_function("changes", self._changes_for_sql, 0, flags=apsw.SQLITE_INNOCUOUS)
        connection.create_scalar_function("total_changes", self._total_changes_for_sql, 0, flags=apsw.SQLITE_INNOCUOUS)
        connection.set_busy_handler(self._wait_for_lock)
        connection.set_progress_handler(self.must_stop, FINE_PROGRESS_STEPS if watchful else PROGRESS_STEPS)
        self._fence = fence
        if fence is not None:
            # The last moment at which a write can be refused: a process that stood still has looked at nothing since.
            connection.set_commit_hook(fence.is_up)

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def query(self, role: Role, sql: str, arguments: Sequence[Value] = (), *, rows_max: int = ROWS_MAX) -> RowSink:
        """Return the rows of one statement that only reads. Raises `StorageError`, also beyond `rows_max` rows or ROWS_MAX_BYTES."""
        with _Statement(self, role, sql, arguments) as cursor:
            try:
                return collect(cursor, role, rows_max)
            except UnicodeDecodeError:
                return collect(self._again(cursor, role, sql, arguments, bytes), role, rows_max)

    def first_value(self, role: Role, sql: str, arguments: Sequence[Value] = ()) -> CrossingValue:
        """Return the first column of the first row of a statement that only reads, None without one; no further row is read."""
        with _Statement(self, role, sql, arguments) as cursor:
            values: list[CrossingValue] = []
            try:
                row = next(cursor, ())
            except UnicodeDecodeError:
                row = next(iter(self._again(cursor, role, sql, arguments, bytes)))
            if cross(row[:1], values) > ROWS_MAX_BYTES:
                raise StorageError(f"{role.name}: the value has more than {ROWS_MAX_BYTES} bytes; ask for a part of it")
            return values[0] if values else None

    def records(self, role: Role, sql: str, arguments: Sequence[Value] = ()) -> list[dict[str, object]]:
        """Return rows as `query` does, each as column → value for JSON: integers beyond 2^53 as digits, BLOBs in base64, no infinity."""
        with _Statement(self, role, sql, arguments) as cursor:
            try:
                return as_records(cursor, role)
            except UnicodeDecodeError:
                return as_records(self._again(cursor, role, sql, arguments, invalid_text.readable), role)

    @contextmanager
    def stream(
        self, role: Role, sql: str, arguments: Sequence[Value] = ()
    ) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[Value, ...]]]]:
        """Give the names of a statement's columns and its rows, as SQLite finds them, however many; read them inside the block."""
        with _Statement(self, role, sql, arguments) as cursor:
            try:
                names = tuple(column[0] for column in cursor.get_description())
            except apsw.ExecutionCompleteError:  # no row
                names = names_of(cursor, role, sql, arguments)
            yield names, self._each(cursor, role, sql, arguments)

    def _each(self, cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> Iterator[tuple[Value, ...]]:
        number = 0
        try:
            try:
                for row in cursor:
                    number += 1
                    yield row
            except UnicodeDecodeError:
                yield from self._again(cursor, role, sql, arguments, invalid_text.readable, number)
        except (apsw.Error, MemoryError, UnicodeError) as error:
            raise self._fault(error) from None

    def _again(
        self, cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value], read: invalid_text.Read, skipped: int = 0
    ) -> invalid_text.Again:
        """Run a statement again that met text that is not UTF-8, after `skipped` rows. Raises `UnicodeDecodeError` for one that writes."""
        if not cursor.is_readonly:
            raise UnicodeDecodeError("utf-8", b"", 0, 0, "the statement changes rows, and is not run twice")
        self._guard.role = role
        found: list[invalid_text.TextLocation] = []
        sql = without_end(self._connection.cursor(), role, sql, arguments)
        rows = invalid_text.rows_again(cursor, sql, arguments, skipped, role.kind.flags, self._connection.cursor(), read, found)
        return invalid_text.Again(
            cursor.get_description(), rows if self._on_invalid_text is None else self._reporting(rows, found, self._on_invalid_text)
        )

    def change(self, role: Role, sql: str, arguments: Sequence[Value] = ()) -> int:
        """Return how many rows one INSERT, UPDATE, DELETE or REPLACE changed. Raises `StorageError`."""
        self._begin_write()
        with _Statement(self, role, sql, arguments) as cursor:
            invalid_text.run_out(cursor)
            return self._connection.changes()

    def scalar(self, sql: str, arguments: Sequence[Value] = ()) -> Value:
        """Return the first column of the first row of a statement of ours, None without one."""
        with _Statement(self, INTERNAL, sql, arguments) as cursor:
            try:
                return next(cursor, (None,))[0]
            except UnicodeDecodeError:
                row: tuple[Value, ...] = next(iter(self._again(cursor, INTERNAL, sql, arguments, invalid_text.readable)))
                return row[0]

    def rows(self, sql: str, arguments: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a statement of ours, as SQLite gives them."""
        with _Statement(self, INTERNAL, sql, arguments) as cursor:
            try:
                return list(cursor)
            except UnicodeDecodeError:
                return list(self._again(cursor, INTERNAL, sql, arguments, invalid_text.readable))

    def changed(self, sql: str, arguments: Sequence[Value] = ()) -> int:
        """Return how many rows a statement of ours changed."""
        return self.change(INTERNAL, sql, arguments)

    @property
    def last_id(self) -> int:
        """Return the `_id` of the row inserted last."""
        return self._connection.last_insert_rowid()

    def _reporting(
        self, rows: Iterator[tuple[Value, ...]], found: list[invalid_text.TextLocation], report: Callable[[str], None]
    ) -> Iterator[tuple[Value, ...]]:
        """Yield `rows`; what was `found` in each is reported before it is given."""
        said = 0
        for row in rows:
            for place in found[said:]:
                self._guard.role = INTERNAL
                report(invalid_text.sentence(place, invalid_text.rows_with(self._connection, place)))
            said = len(found)
            yield row

    def count_scans(self) -> ScanCounter:
        """Count what statements scan from now on. Not our own, which read registries: their author cannot do anything about them."""
        return ScanCounter(self._connection, lambda: self._guard.role is not INTERNAL)

    def bound(self, deadline: float, visitor_seconds: float = VISITOR_SECONDS) -> None:
        """Begin somebody's work: all of it ends at `deadline` (`time.monotonic()`), and it has used no lock time yet.

        `visitor_seconds`: how long one query of a caller from outside may run.
        """
        self._deadline = deadline
        self._visitor_seconds = visitor_seconds
        self.turn.begin_invocation()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give the statements of the block so many seconds; then the earlier deadline counts again."""
        before, self._deadline = self._deadline, time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = before

    def begin_anew(self) -> None:
        """Forget what SQL itself can ask about earlier statements, because the next ones are somebody else's."""
        self._connection.set_last_insert_rowid(0)
        self._changed_before = self._connection.total_changes()

    def _changes_for_sql(self, *_: object) -> int:
        return self._connection.changes() if self._total_changes_for_sql() else 0

    def _total_changes_for_sql(self, *_: object) -> int:
        return self._connection.total_changes() - self._changed_before

    def _new_cursor(self, role: Role) -> apsw.Cursor:
        """Return a cursor for a statement that begins now, with the guard and the clocks set for `role`."""
        # Found damaged by another connection: what is written now could make it worse.
        if why := self.care.unusable():
            raise DatabaseFileError(why)
        self._guard.role = role
        self._guard.refusal = ""
        seconds = self._visitor_seconds if role.kind is VISITOR else STATEMENT_SECONDS.get(role.kind)
        self._statement_ends = FOREVER if seconds is None else time.monotonic() + seconds
        self._alarmed = role.kind.writes and not self.in_transaction  # which is held to its time as a whole
        self._set_alarm()
        if self._memory_max is not FOREVER:
            self._memory_ends = apsw.memory_used() + self._memory_max
        return self._connection.cursor()

    def _done(self, cursor: apsw.Cursor) -> None:
        # Closed before the alarm goes: until then the statement still holds the lock.
        cursor.close(True)
        if self._alarmed:
            self._alarm(0)
        if self.turn.is_held and not self._connection.in_transaction:
            self.turn.leave()

    def _started(self, cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> apsw.Cursor:
        try:
            return self._begin(cursor, role, sql, arguments)
        except apsw.CorruptError as error:
            if _STRUCTURE_UNREAD not in str(error):
                raise
        self._read_structure(role)
        return self._begin(cursor, role, sql, arguments)

    def _begin(self, cursor: apsw.Cursor, role: Role, sql: str, arguments: Sequence[Value]) -> apsw.Cursor:
        if role is not INTERNAL:
            self._checked.check(cursor, role, sql, arguments)
        return cursor.execute(sql, arguments, prepare_flags=role.kind.flags)

    def _read_structure(self, role: Role) -> None:
        """Read the schema without the limits, which are for statements: SQLite reads it again after every change."""
        # The limits are for what strangers write; a table made under wider ones must not make the whole database unreadable.
        kept = {limit: self._connection.limit(limit, UNLIMITED) for limit in SQLITE_LIMITS}
        self._guard.role = INTERNAL
        try:
            self._connection.execute("SELECT 1 FROM sqlite_schema LIMIT 0").close()
        finally:
            self._guard.role = role
            for limit, value in kept.items():
                self._connection.limit(limit, value)

    def _set_alarm(self) -> None:
        if self._alarmed:
            self._alarm(LOCK_MAX_SECONDS + LOCK_GRACE_SECONDS)

    def _fault(self, error: BaseException) -> StorageError:
        found = self._found(error)
        if isinstance(found, DatabaseFileError):
            self.care.on_fault(found)
        return found

    def _found(self, error: BaseException) -> StorageError:
        if isinstance(error, apsw.FullError) and self.care.is_at_quota(self._size_bytes):
            return QuotaError(QUOTA_REACHED)
        if self._memory_exceeded and isinstance(error, apsw.InterruptError):
            return StorageError(TOO_MUCH_MEMORY)
        if self._fence is not None and isinstance(error, apsw.ConstraintError) and self._fence.is_up():
            return FencedError(FENCED)
        if self._guard.refusal and isinstance(error, apsw.AuthError | apsw.SQLError):
            return RefusedError(self._guard.refusal)
        if isinstance(error, apsw.IOError) and self._connection.system_errno == errno.EFBIG:
            return StorageError(FILE_TOO_LARGE)  # no fault of the disk: a script has filled it
        return fault(error)

    def _size_bytes(self) -> int:
        self._guard.role = INTERNAL
        return int(self._connection.pragma("page_count")) * int(self._connection.pragma("page_size"))

    # ── transactions ─────────────────────────────────────────────────────────────────────────

    @property
    def in_transaction(self) -> bool:
        """Return whether a transaction is open."""
        return self._connection.in_transaction

    def _begin_write(self) -> None:
        if not self._connection.in_transaction:
            self.turn.enter()

    def begin(self) -> None:
        """Take the one write lock, waiting for it until the deadline."""
        self._begin_write()
        self.rows("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make everything since `begin` permanent. Raises `StorageError`; then nothing of it is."""
        try:
            self.rows("COMMIT")
        except StorageError:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo everything since `begin`; harmless when nothing is open."""
        if self._connection.in_transaction:
            self.rows("ROLLBACK")

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Run several statements as one, inside a transaction or alone; an error undoes them all."""
        begin, done, undo = (
            ("SAVEPOINT ours", "RELEASE ours", "ROLLBACK TO ours") if self.in_transaction else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        )
        self._begin_write()
        self.rows(begin)
        try:
            yield
            self.rows(done)
        except BaseException:
            if self.in_transaction:
                self.rows(undo)
            raise

    # ── what SQLite asks ─────────────────────────────────────────────────────────────────────

    def _wait_for_lock(self, attempts: int) -> bool:
        now = time.monotonic()
        if attempts == 0 and not self.turn.is_held:
            self.turn.begin_wait(now)
        if self._has_waited_enough():
            return False
        if self._alarmed:
            self._alarm(0)  # waiting is no holding
        # The statement's own time stands still while it waits for another writer, so it starts anew after each wait.
        self.turn.wait(now)
        if self._statement_ends is not FOREVER:
            self._statement_ends = time.monotonic() + LOCK_MAX_SECONDS
            self._set_alarm()
        return True

    def _has_waited_enough(self) -> bool:
        return time.monotonic() >= min(self._deadline - LOCK_GIVEN_UP_SECONDS, self.turn.waiting_since + BUSY_SECONDS)

    def must_stop(self) -> bool:
        """Return whether the statement under way has used up its time or its memory."""
        # SQLite counts for the whole process, so what other threads use counts against this statement too.
        self._memory_exceeded = apsw.memory_used() > self._memory_ends
        return self._memory_exceeded or time.monotonic() > min(self._deadline, self._statement_ends)

    # ── the file ─────────────────────────────────────────────────────────────────────────────

    @property
    def connection(self) -> apsw.Connection:
        """Return the connection, for the parts of the storage that need more than statements: backup, functions, views."""
        return self._connection

    def close_last(self) -> None:
        """Close it after all others of this peer: the write-ahead log is written into the file and emptied."""
        # What the last job set is over; without a bound a reader elsewhere would keep the peer from stopping.
        self._deadline = time.monotonic() + CHECKPOINT_SECONDS
        with suppress(apsw.Error):  # another program reads or writes: then the log stays, and is read at the next start
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._connection.close(True)
        self.turn.close()


class _Statement:
    """A statement under way, with every failure as a `StorageError`. A generator would cost three times as much."""

    __slots__ = ("_arguments", "_cursor", "_database", "_role", "_sql")

    def __init__(self, database: Database, role: Role, sql: str, arguments: Sequence[Value]) -> None:
        self._database, self._role, self._sql, self._arguments = database, role, sql, arguments

    def __enter__(self) -> apsw.Cursor:
        self._cursor = self._database._new_cursor(self._role)
        try:
            return self._database._started(self._cursor, self._role, self._sql, self._arguments)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None) -> None:
        why = self._database._fault(error) if isinstance(error, FAULTS) else None
        self._database._done(self._cursor)
        if why is not None:
            raise why from None


def open_database(
    path: Path,
    *,
    guarded: bool = True,
    watchful: bool = False,
    care: FileCare = CARELESS,
    rank: Rank = Rank.PEER,
    alarm: Alarm = _no_alarm,
    on_invalid_text: Callable[[str], None] | None = None,
) -> Database:
    """Open `path`, made when missing, in WAL mode with every file it needs open. Raises `DatabaseError`.

    `guarded`: with SQLite's limits for statements that scripts and strangers write; without, no view or trigger that came with
    the folder runs. `watchful`: in a process no kernel ends for what a statement does, so time and memory are looked at often, and
    no single step may take long. `care`: how large the file may become, and who is told of its errors. `rank`: whose writes.
    `alarm`: has the kernel end this process in so many seconds, while a statement holds the lock; 0 is never.
    `on_invalid_text`: is given a sentence for the owner about each text that is not UTF-8.
    """
    real = checked(path)
    fence = open_fence(path)
    queue = open_queue(path)
    try:
        connection = apsw.Connection(sqlite_name(real), flags=OPEN_FLAGS)
        database = Database(
            connection,
            watchful=watchful,
            care=care,
            queue=queue,
            fence=fence,
            rank=rank,
            alarm=alarm,
            on_invalid_text=on_invalid_text,
        )
        configure(connection, guarded=guarded, synced=care.synced)
        if care.max_bytes is not None:
            connection.pragma("max_page_count", max(1, care.max_bytes // connection.pragma("page_size")))
        if watchful:
            connection.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, FINE_LIKE_PATTERN_MAX_BYTES)
            bound_functions(connection, database.must_stop)
        database.scalar("SELECT count(*) FROM sqlite_schema")  # opens the log and its index
    except (apsw.Error, StorageError) as error:
        if queue is not None:
            queue.close()
        raise DatabaseError(f"{shown(path)} cannot be opened as a database: {explained(error)}") from None
    return database
